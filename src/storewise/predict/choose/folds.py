"""Parts of rows to learn from and to judge by: by time, by group, or stratified."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError

Places = npt.NDArray[np.int64]
TIME_STARTS = (0.5, 0.75)
"""Validation parts by time: the third and the last quarter of the rows, each after what was learned from."""
LEAST_ROWS = 20


@dataclass(frozen=True)
class Split:
    """Places of rows, (n,) each, in the order in which they are to be learned from. ``by``: how they were parted."""

    train: Places
    later: Places
    by: str


def by_time(moments: Places, share: float) -> Split:
    """The last ``share`` of rows is later; rows of one moment are never parted.

    Raises:
        DataError: when all rows have one moment.

    >>> by_time(np.array([3, 1, 2, 2]), 0.25).later.tolist()
    [0]
    """
    order = np.argsort(moments, kind="stable")
    border = moments[order[min(round(len(moments) * (1 - share)), len(moments) - 1)]]
    before = moments[order] < border
    if not before.any():
        before = moments[order] <= border
    if before.all() or not before.any():
        raise DataError(
            "All rows have the same time: they cannot be parted by it.", next_step="Leave --time out."
        )
    return Split(order[before], order[~before], "time")


def by_group(groups: Places, share: float, rng: np.random.Generator) -> Split:
    """About ``share`` of the rows, whole groups at a time.

    Raises:
        DataError: for one group.
    """
    _, group_at = np.unique(groups, return_inverse=True)
    k = int(group_at.max(initial=0)) + 1
    if k < 2:
        raise DataError(
            "All rows are of one group.", next_step="Leave --group out, or give a column that differs."
        )
    order = rng.permutation(k)
    sizes = np.bincount(group_at)
    held = order[: int(np.searchsorted(np.cumsum(sizes[order]), share * len(groups), side="right"))][: k - 1]
    if not len(held):  # the first alone is more than the share
        held = _small(order, sizes, share * len(groups))
    later = np.isin(group_at, held)
    shuffled = rng.permutation(len(groups))
    return Split(shuffled[~later[shuffled]], shuffled[later[shuffled]], "group")


def _small(order: Places, sizes: Places, most: float) -> Places:
    """Groups, in their order, that have no more than so many rows together; the smallest one where none has."""
    held: list[int] = []
    rows = 0
    for group in order:
        if rows + sizes[group] <= most:
            held.append(int(group))
            rows += int(sizes[group])
    return np.array(held or [int(np.argmin(sizes))], np.int64)


def stratified(labels: npt.NDArray[np.float64], share: float, rng: np.random.Generator) -> Split:
    """``share`` of the rows of each label, drawn by chance."""
    order = rng.permutation(len(labels))
    later = np.zeros(len(labels), np.bool_)
    for label in (0.0, 1.0):
        mine = order[labels[order] == label]
        later[mine[: round(share * len(mine))]] = True
    return Split(order[~later[order]], order[later[order]], "chance")


def validation_folds(
    train: Places,
    by: str,
    labels: npt.NDArray[np.float64],
    *,
    seed: int,
    groups: Places | None = None,
    moments: Places | None = None,
    parts: int = 3,
) -> list[Split]:
    """Folds inside the training rows of a split, each to learn from and judge by.

    By time: what lies before each of ``TIME_STARTS``, and the quarter after it. Otherwise ``parts`` parts, each
    judged once by what the others taught; of one group only, rows are parted by chance. Folds where a side has one
    class are left out.

    Raises:
        DataError: when no fold is left.
    """
    found = []
    if by == "time":
        assert moments is not None
        borders = [int(len(train) * start) for start in (*TIME_STARTS, 1.0)]
        # A border lies between two moments, never inside one.
        marks = moments[train]
        borders = [
            int(np.searchsorted(marks, marks[b], side="left")) if b < len(train) else b for b in borders
        ]
        found = [Split(train[:a], train[a:z], by) for a, z in itertools.pairwise(borders)]
    else:
        rng = np.random.default_rng(seed)
        part_of = np.arange(len(train)) % parts
        n_groups = 0 if groups is None else len(np.unique(groups[train]))
        if groups is not None and n_groups > 1:
            _, group_at = np.unique(groups[train], return_inverse=True)
            part_of = (rng.permutation(n_groups) % parts)[group_at]
        else:
            for label in (0.0, 1.0):
                mine = labels[train] == label
                part_of[mine] = np.arange(int(mine.sum())) % parts
        found = [Split(train[part_of != k], train[part_of == k], by) for k in range(parts)]
    usable = [f for f in found if all(_both(labels[side]) for side in (f.train, f.later))]
    if not usable:
        raise DataError(
            f"{len(train):,} training rows with {int(labels[train].sum())} events leave no part to validate on "
            "that has both outcomes.",
            next_step="Give more rows; at least some dozen events are needed.",
        )
    return usable


def _both(labels: npt.NDArray[np.float64]) -> bool:
    return len(labels) > 0 and labels.min() < labels.max()
