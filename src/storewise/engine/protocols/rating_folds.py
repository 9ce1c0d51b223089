"""``ml100k-rmse``: the error of predicted ratings in five-fold cross-validation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.core.rng import derive_seed
from storewise.data import split
from storewise.data.dataset import Dataset
from storewise.data.plain import Ratings, read_ratings
from storewise.engine.protocols import base
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import component_names
from storewise.metrics import intervals
from storewise.metrics.intervals import Interval
from storewise.metrics.rating import absolute_errors, squared_errors
from storewise.recommend.ratings.select import select_ratings

FOLDS = 5
SIMPLE = "ratings.means.v1"  # the rule that every other predictor has to beat: always a row
VALIDATION_FOLDS = 8  # an eighth of the first fold's training part, so a tenth of all


class RatingFolds:
    """Random 5-fold over all ratings; RMSE and MAE over all test ratings.

    Hyper-parameters come from a random eighth of the first fold's training part and serve all folds.
    """

    name = "ml100k-rmse"
    about = "random 5-fold over all ratings, rating prediction"
    reads = ("data",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            DataError: when the file has no ratings.
        """
        path = inputs.data
        ratings = read_ratings(base.entry(path, "u.data", "ratings.csv", "ratings.dat"))
        if ratings.values is None:
            raise DataError(f"{path} has no ratings.", next_step="Give lines of user, item, rating.")
        fold = split.k_fold(len(ratings), FOLDS, seed=seed)
        known, held = _first_fold(ratings, fold, seed)
        selection = select_ratings(
            known,
            held,
            candidates=None if models is None else component_names([SIMPLE, *models], "ratings"),
            budget_s=budget_s,
            seed=seed,
            progress=progress,
        )
        errors: dict[str, list[npt.NDArray[np.float64]]] = {}
        spent = {choice.name: choice.seconds for choice in selection.choices}
        for number in progress.track(range(FOLDS), label="five folds"):
            test = ratings.dataset(fold == number)
            trained = selection.refit(ratings.dataset(fold != number), seed=seed, progress=progress)
            for name, model in trained.items():
                started = time.perf_counter()
                errors.setdefault(name, []).append(_errors_by_customer(model, test))
                spent[name] += time.perf_counter() - started
        rows: list[dict[str, Any]] = [
            {
                "model": choice.name,
                "selected": choice.name == selection.selected,
                "seconds": round(spent[choice.name], 2),
                "metrics": {
                    name: found.as_dict() for name, found in _figures(errors[choice.name], seed).items()
                },
                "config": choice.config.model_dump(mode="json"),
                "validation": choice.validation,
                "trials": choice.trials,
            }
            for choice in selection.choices
        ]
        rows.sort(key=lambda row: (not row["selected"], row["metrics"]["rmse"]["value"]))
        return {
            "data": base.span(ratings.dataset(np.ones(len(ratings), bool))),
            "about": self.about,
            "question": "ratings",
            "reason": selection.reason,
            "rows": rows,
            "others": [],
        }


def _first_fold(ratings: Ratings, fold: split.Codes, seed: int) -> tuple[Dataset, Dataset]:
    first = np.flatnonzero(fold != 0)
    inner = split.k_fold(len(first), VALIDATION_FOLDS, seed=derive_seed(seed, "ml100k-rmse", "validation"))
    held = np.zeros(len(ratings), bool)
    held[first[inner == 0]] = True
    return ratings.dataset((fold != 0) & ~held), ratings.dataset(held)


def _errors_by_customer(model: Any, test: Dataset) -> npt.NDArray[np.float64]:
    """(n_customers, 3): sum of squared errors, sum of absolute errors, number of ratings."""
    asked, truth = test.interactions, test.values
    assert truth is not None
    predicted = model.predict(asked.customers, asked.products).value
    columns = (squared_errors(truth, predicted), absolute_errors(truth, predicted), np.ones(len(truth)))
    sums = [np.bincount(asked.customers, column, minlength=test.n_customers) for column in columns]
    return np.stack(sums, axis=1)


def _figures(folds: Sequence[npt.NDArray[np.float64]], seed: int) -> dict[str, Interval]:
    """RMSE and MAE over the ratings of all folds, customers resampled."""
    total = np.sum(folds, axis=0)
    total = total[total[:, 2] > 0]
    squared, absolute = intervals.ratio(total[:, :2], total[:, [2, 2]], seed=seed)
    bounds = np.sqrt([squared.value, squared.low, squared.high])
    return {"rmse": Interval(*(float(bound) for bound in bounds)), "mae": absolute}
