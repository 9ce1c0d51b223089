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
        self._slates: Ints = np.argsort(-draws, axis=1, kind="stable")[:, :k]

    def sample(self, rng: np.random.Generator) -> Ints:
        found: Ints = self._slates[rng.integers(len(self._slates))]
        return found

    def probability(self, slate: Ints) -> float:
        return float((self._slates == slate).all(axis=1).mean())

    def row(self, arm: int) -> Floats:
        found: Floats = (self._slates == arm).mean(axis=0)
        return found
