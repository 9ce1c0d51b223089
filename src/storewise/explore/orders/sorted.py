"""Slates in the order of fixed scores; equal scores in random order."""

from __future__ import annotations

from math import factorial

import numpy as np

from storewise.explore.orders.base import Floats, Ints, Order


class Sorted(Order):
    """The k best of ``scores`` (m,); arms of equal score are equally likely in every order.

    With a group of g equal arms that starts at place s (0-based), each of them stands at each of the places
    s … s + g - 1 with probability 1 / g; a slate that takes t of them has probability (g - t)! / g! from that
    group.

    >>> Sorted(np.array([0.1, 0.9, 0.9]), 2).marginals.tolist()
    [[0.0, 0.0], [0.5, 0.5], [0.5, 0.5]]
    """

    def __init__(self, scores: Floats, k: int) -> None:
        super().__init__(len(scores), k)
        self._scores = scores
        _, self._group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
        self._sizes = sizes
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def sample(self, rng: np.random.Generator) -> Ints:
        mixed = rng.permutation(self.m)
        return mixed[np.argsort(-self._scores[mixed], kind="stable")][: self.k]

    def probability(self, slate: Ints) -> float:
        groups = self._group[slate]
        expected = np.searchsorted(np.cumsum(self._sizes), np.arange(self.k), side="right")
        if not np.array_equal(groups, expected):
            return 0.0
        chance = 1.0
        for group, taken in zip(*np.unique(groups, return_counts=True), strict=True):
            size = int(self._sizes[group])
            chance *= factorial(size - int(taken)) / factorial(size)
        return chance

    def row(self, arm: int) -> Floats:
        group = self._group[arm]
        start, size = self._starts[group], self._sizes[group]
        places = np.arange(self.k)
        return np.where((places >= start) & (places < start + size), 1.0 / size, 0.0)
