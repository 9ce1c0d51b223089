"""Ask trained retrievers a ranking task and turn the answers into figures with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import StateError
from storewise.core.progress import Progress, Silent
from storewise.data.dataset import Dataset
from storewise.metrics import beyond, intervals, ranking
from storewise.metrics.intervals import Interval
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever

BATCH = 128
BEYOND = ("novelty", "diversity")


@dataclass(frozen=True)
class Answers:
    """What a model answered to one task: ``top`` (b, k) lists, ``values`` (b, m) per shopper and figure in
    the order of ``names``, ``customers`` (b,)."""

    names: tuple[str, ...]
    top: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    customers: npt.NDArray[np.int32]
    n_products: int

    def of(self, shoppers: npt.NDArray[np.bool_]) -> Answers:
        """The answers to the shoppers of a mask."""
        return Answers(
            self.names, self.top[shoppers], self.values[shoppers], self.customers[shoppers], self.n_products
        )


def rank(
    retriever: Retriever[Any], task: Task, *, label: str, progress: Progress | None = None
) -> ranking.Lists:
    """(b, k) lists of the whole catalogue, a batch of shoppers at a time (never users x products at once).

    Raises:
        StateError: when the model gives NaN, which no order can hold.
    """
    batches = task.histories.batches(BATCH)
    lists = []
    start = 0
    for histories in (progress or Silent()).track(batches, label=label, total=len(batches)):
        scores = retriever.scores(histories)
        if np.isnan(scores.max(initial=-np.inf)):  # NaN wins every maximum
            raise StateError(
                f"{label} scored NaN.", next_step="Train it again, or leave it out with --models."
            )
        # A copy, since a retriever may hand out an array that it keeps.
        scores = task.mask(scores.copy(), start)
        relevant = task.relevant[start : start + len(histories)]
        lists.append(ranking.top_k(scores, task.k, relevant))
        start += len(histories)
    return np.concatenate(lists) if lists else np.empty((0, task.k), np.int32)


def answer(
    retriever: Retriever[Any],
    task: Task,
    train: Dataset,
    metrics: Sequence[str],
    *,
    label: str,
    progress: Progress | None = None,
) -> Answers:
    """Rank for every shopper of the task and measure each list, accuracy first, then what is beyond it."""
    top = rank(retriever, task, label=label, progress=progress)
    columns = [ranking.METRICS[name](top, task.relevant) for name in metrics]
    behaviour = train.interactions
    active = int((np.diff(behaviour.indptr) > 0).sum())
    columns.append(beyond.novelty(top, behaviour.popularity, active))
    columns.append(beyond.diversity(top, _tastes(behaviour.matrix)))
    values = np.stack(columns, axis=1)
    return Answers((*metrics, *BEYOND), top, values, task.histories.customers, train.n_products)


def _tastes(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Customers with more than one product: only they say which products are alike."""
    return matrix[np.diff(matrix.indptr) > 1]


def figures(folds: Sequence[Answers], *, seed: int) -> dict[str, Interval]:
    """``name@k`` → mean over folds of the mean over shoppers, with a bootstrap interval over customers.

    A customer's answers in all folds are drawn together. ``coverage`` is of the first fold.
    """
    names, k = folds[0].names, folds[0].top.shape[1]
    found: dict[str, Interval] = {}
    who = np.unique(np.concatenate([fold.customers for fold in folds]))
    above = np.zeros((len(who), len(names)))
    below = np.zeros((len(who), len(names)))
    for fold in folds:
        present = ~np.isnan(fold.values)
        # Every fold weighs the same, however many shoppers it has.
        weight = present / np.maximum(present.sum(axis=0), 1)
        rows = np.searchsorted(who, fold.customers)
        np.add.at(above, rows, np.where(present, fold.values, 0.0) * weight)
        np.add.at(below, rows, weight)
    for name, interval in zip(names, intervals.ratio(above, below, seed=seed), strict=True):
        found[f"{name}@{k}"] = interval
    found[f"coverage@{k}"] = beyond.coverage(folds[0].top, folds[0].n_products)
    return found


def as_json(found: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Figures as plain values; a figure that could not be measured is null."""
    return {
        name: {key: (value if np.isfinite(value) else None) for key, value in interval.as_dict().items()}
        for name, interval in found.items()
    }
