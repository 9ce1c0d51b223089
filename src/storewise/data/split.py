"""Splits: which events a model learns from, which choose its hyper-parameters, which judge it.

Each function gives one code for each row, so that the parts are disjoint and complete by construction:
``TRAIN``, ``VALIDATION`` or ``TEST`` (or a fold number). Nothing here draws from a hidden seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError, DataError
from storewise.data.interactions import Interactions

TRAIN, VALIDATION, TEST = 0, 1, 2
DAY = 86_400.0
Codes = npt.NDArray[np.int8]


def per_item(products: npt.ArrayLike, *, share: float = 0.75, seed: int = 42) -> Codes:
    """Of each product's rows, in the order given, a random ``share`` trains and the rest tests.

    The stratified split of the Microsoft Recommenders benchmark: every product's rows are permuted by a legacy
    generator that starts anew from the same seed, and the first round(share * n) train, halves rounded to
    even. It therefore needs NumPy's legacy generator and the rows in the order of the file.

    >>> per_item([7, 7, 7, 7]).tolist()
    [0, 0, 2, 0]
    """
    what = np.asarray(products)
    codes = np.full(len(what), TEST, np.int8)
    order = np.argsort(what, kind="stable")
    borders = np.flatnonzero(np.diff(what[order])) + 1
    for rows in np.split(order, borders) if len(order) else []:
        shuffled = np.random.RandomState(seed).permutation(len(rows))
        codes[rows[shuffled[: round(share * len(rows))]]] = TRAIN
    return codes


def k_fold(n: int, folds: int, *, seed: int) -> Codes:
    """(n,) random fold numbers 0 … folds - 1 whose sizes differ by at most one.

    Raises:
        ConfigError: with fewer than two folds, or more folds than rows.
    """
    if not 2 <= folds <= max(n, 0):
        raise ConfigError(
            f"{folds} folds of {n} rows are not possible.", next_step=f"Use 2 to {max(n, 2)} folds."
        )
    return np.random.default_rng(seed).permutation(np.arange(n) % folds).astype(np.int8)


def per_user(customers: npt.ArrayLike, shares: Sequence[float], *, seed: int) -> Codes:
    """Deal each customer's rows at random into parts 0, 1, … by ``shares`` (which sum to 1).

    Later parts get the floor of their share but at least one row, the first part gets the rest and always
    keeps one: a customer with two rows and three parts leaves part 1 empty.

    >>> sorted(per_user([4] * 10, (0.8, 0.1, 0.1), seed=1).tolist())
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(
            f"The shares {tuple(shares)} do not sum to 1.", next_step="Give positive shares of sum 1."
        )
    who = np.asarray(customers)
    order = np.lexsort((np.random.default_rng(seed).random(len(who)), who))
    _, starts, counts = np.unique(who[order], return_index=True, return_counts=True)
    place = np.arange(len(who)) - np.repeat(starts, counts)
    free = counts - 1
    dealt = np.zeros(len(who), np.int8)
    taken = np.zeros(len(counts), np.int64)
    for part in range(len(shares) - 1, 0, -1):
        size = np.minimum(np.maximum(np.floor(shares[part] * counts + 1e-9).astype(np.int64), 1), free)
        inside = (place >= np.repeat(taken, counts)) & (place < np.repeat(taken + size, counts))
        dealt[inside] = part
        taken, free = taken + size, free - size
    codes = np.empty(len(who), np.int8)
    codes[order] = dealt
    return codes


def leave_last(behaviour: Interactions) -> Codes:
    """A code for each row of ``behaviour``: the last of each customer tests, the one before validates.

    A customer with one event only trains; one with two has no validation.

    >>> leave_last(Interactions.build([0] * 4, [3, 1, 2, 0], at=[0, 1, 2, 3], n_customers=1, n_products=4))
    array([0, 0, 1, 2], dtype=int8)
    """
    counts = np.diff(behaviour.indptr)[behaviour.customers]
    from_end = behaviour.indptr[1:][behaviour.customers] - 1 - np.arange(len(behaviour))
    codes = np.full(len(behaviour), TRAIN, np.int8)
    codes[(from_end == 0) & (counts >= 2)] = TEST
    codes[(from_end == 1) & (counts >= 3)] = VALIDATION
    return codes


@dataclass(frozen=True, slots=True)
class Windows:
    """Borders of a split by time, in seconds: training is before ``validation_from``, validation before
    ``test_from``, the test from there to ``end`` inclusive."""

    validation_from: float
    test_from: float
    end: float

    def codes(self, at: npt.ArrayLike) -> Codes:
        """(n,) codes of events at these times; events after ``end`` are refused.

        Raises:
            DataError: for an event after the end.
        """
        when = np.asarray(at, np.float64)
        if len(when) and when.max() > self.end:
            raise DataError(
                f"An event at {when.max():.0f} s lies after the end of the split, {self.end:.0f} s.",
                next_step="Cut the data at the end first.",
            )
        late = np.searchsorted([self.validation_from, self.test_from], when, side="right")
        return late.astype(np.int8)


def by_time(
    at: npt.ArrayLike, *, test_days: float = 28, validation_days: float = 28, end: float | None = None
) -> Windows:
    """The last ``test_days`` days test, ``validation_days`` before them validate, the rest trains.

    Raises:
        DataError: when nothing is left to train on.
    """
    when = np.asarray(at, np.float64)
    last = float(end if end is not None else (when.max() if len(when) else 0.0))
    test_from = last - test_days * DAY
    windows = Windows(test_from - validation_days * DAY, test_from, last)
    if not (when < windows.validation_from).any():
        days = (last - float(when.min())) / DAY if len(when) else 0.0
        raise DataError(
            f"The data span {days:.1f} days, the split takes the last {test_days + validation_days:g} of them "
            "and leaves nothing to train on.",
            next_step="Give a longer history or shorter windows.",
        )
    return windows


Heat = Literal["cold", "warm", "hot"]
HEATS: tuple[Heat, ...] = ("cold", "warm", "hot")
HEAT_BORDERS = (5, 20)


def heat(n_products: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """How well a customer is known, as an index into ``HEATS``, by the number of different products so far:
    cold below 5, warm below 20, hot from there.

    >>> [HEATS[code] for code in heat([0, 4, 5, 20])]
    ['cold', 'cold', 'warm', 'hot']
    """
    return np.searchsorted(HEAT_BORDERS, np.asarray(n_products), side="right")
