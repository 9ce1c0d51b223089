"""The question that a training run chooses by, and how a trained retriever answers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.engine.history import History
from storewise.engine.measure import answer, as_json, figures
from storewise.engine.pipeline import Pipeline
from storewise.engine.protocols.base import over, task_of
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever

DAY_S = 86_400.0
METRICS = ("ndcg", "recall", "map", "hit")


@dataclass(frozen=True)
class Row:
    """A model's line of the evaluation. ``metrics``: ``ndcg@12`` → value and, where measured, low and high."""

    model: str
    role: str
    selected: bool
    seconds: float
    metrics: dict[str, dict[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """``fit`` is what models may learn from, ``task`` what happened afterwards."""

    fit: Dataset
    task: Task

    def row(
        self, name: str, trained: Retriever[Any], *, role: str, selected: bool, seconds: float, seed: int
    ) -> Row:
        """Rank the whole catalogue for each shopper; intervals by resampling shoppers."""
        told = answer(trained, self.task, self.fit, METRICS, label=name)
        return Row(name, role, selected, round(seconds, 3), as_json(figures([told], seed=seed)))


def validation_of(history: History, pipeline: Pipeline) -> Validation | None:
    """The end of the shop's time as a question on the time before.

    The border lies ``validation_days`` before the last event; in a shop younger than five times that, at
    80 % of its time. None when nobody known before the border bought after it: nothing to choose by.
    """
    shop = history.whole
    at = shop.interactions.at
    if not len(at):
        return None
    first, last = float(at.min()), float(at.max())
    border = last - min(pipeline.selection.validation_days * DAY_S, 0.2 * (last - first))
    fit, after = history.until(border), shop.interactions.select(at >= border)
    if fit.n_customers != after.n_customers:
        after = over(after, fit.n_customers)
    known = np.diff(fit.interactions.indptr) > 0
    known[len(shop.customer_ids) :] = False  # sessions that nobody can be recognised by
    asked = known & (np.diff(after.indptr) > 0)
    only_new = pipeline.policy.repeats == "hide"
    try:
        task = task_of(
            fit.interactions, after, k=min(pipeline.n, shop.n_products), metric=pipeline.selection.metric,
            masked=only_new, only_new=only_new, now=border,
            known=_thinned(asked, pipeline.selection.max_customers),
        )  # fmt: skip
    except DataError:
        return None
    return Validation(fit, task)


def _thinned(mask: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.bool_]:
    """At most ``most`` of the true entries, spread evenly."""
    found = np.flatnonzero(mask)
    thin = np.zeros(len(mask), bool)
    if len(found):
        thin[found[np.linspace(0, len(found) - 1, min(most, len(found))).astype(np.int64)]] = True
    return thin
