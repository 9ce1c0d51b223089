"""Slates by a fixed set of posterior draws: an exact propensity where no integral is at hand."""

from __future__ import annotations

import numpy as np

from storewise.explore.orders.base import Floats, Ints, Order


class Drawn(Order):
    """One of the rows of ``draws`` (M, m) is picked uniformly, and its k best arms are shown.

    The policy *is* this finite mixture, so that shares of draws are its propensities and not estimates of
    them. Equal scores keep the arms' order.

    >>> order = Drawn(np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]]), 2)
    >>> order.probability(np.array([0, 2])), order.row(1).tolist()
    (0.5, [0.0, 0.5])
    """

    def __init__(self, draws: Floats, k: int) -> None:
        super().__init__(draws.shape[1], k)
        self._slates = _best(draws, k)

    def sample(self, rng: np.random.Generator) -> Ints:
        found: Ints = self._slates[rng.integers(len(self._slates))]
        return found

    def probability(self, slate: Ints) -> float:
        return float((self._slates == slate).all(axis=1).mean())

    def row(self, arm: int) -> Floats:
        found: Floats = (self._slates == arm).mean(axis=0)
        return found


def _best(draws: Floats, k: int) -> Ints:
    """(M, k) the k largest of each row, largest first; equal ones in the order of the columns."""
    m = draws.shape[1]
    if m <= 4 * k:
        return np.argsort(-draws, axis=1, kind="stable")[:, :k]
    some = np.sort(np.argpartition(-draws, 2 * k, axis=1)[:, : 2 * k], axis=1)
    best = np.take_along_axis(draws, some, axis=1)
    found: Ints = np.take_along_axis(some, np.argsort(-best, axis=1, kind="stable")[:, :k], axis=1)
    rows = np.arange(len(draws))
    # Where more ties reach down than were looked at, the whole row is sorted.
    tied = np.flatnonzero((draws >= draws[rows, found[:, -1]][:, None]).sum(axis=1) > k)
    if len(tied):
        found[tied] = np.argsort(-draws[tied], axis=1, kind="stable")[:, :k]
    return found
