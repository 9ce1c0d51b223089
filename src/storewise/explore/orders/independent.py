"""Slates in the order of independent random scores (Thompson sampling): propensities by quadrature.

With densities f and distribution functions F, an arm a stands at place j (0-based) with probability
∫ f_a(x) P(exactly j of the others exceed x) dx, and the slate (a_1, …, a_k) has probability
∫∫_{x_1 > … > x_k} Π f_{a_i}(x_i) Π_{b not shown} F_b(x_k) dx, a nest of one-dimensional integrals. Both are
taken by Gauss-Legendre quadrature between pooled quantiles of all arms (error below 1e-8, see the tests).
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from storewise.explore.orders.base import Floats, Ints, Order

LEVELS = np.array([1e-10, 1e-6, 1e-4, 5e-3, 0.05, 0.2, 0.5])
LEVELS = np.concatenate([LEVELS, 1 - LEVELS[-2::-1]])
NODES, WEIGHTS = np.polynomial.legendre.leggauss(6)
# Integrals from -1 to each node of the polynomial through the values at the nodes.
_POWERS = np.vander(NODES, increasing=True)
_ORDERS = np.arange(1, len(NODES) + 1)
PARTIAL = ((NODES[:, None] ** _ORDERS - (-1.0) ** _ORDERS) / _ORDERS) @ np.linalg.inv(_POWERS)


class Scores(Protocol):
    """m independent continuous distributions over one line."""

    def sample(self, rng: np.random.Generator) -> Floats:
        """(m,)"""
        ...

    def quantiles(self, level: float) -> Floats:
        """(m,)"""
        ...

    def densities(self, x: Floats) -> Floats:
        """(m, g) at the points x (g,)."""
        ...

    def below(self, x: Floats) -> Floats:
        """(m, g) the probabilities of being below x (g,)."""
        ...


class Independent(Order):
    """The k largest of m independent scores, in order.

    >>> from storewise.explore.orders.scores import Normals
    >>> order = Independent(Normals(np.zeros(4), np.ones(4)), 2)
    >>> order.row(3).round(6).tolist(), round(order.probability(np.array([1, 2])) * 12, 6)
    ([0.25, 0.25], 1.0)
    """

    def __init__(self, scores: Scores, k: int) -> None:
        self._scores = scores
        super().__init__(len(scores.quantiles(0.5)), k)

    def sample(self, rng: np.random.Generator) -> Ints:
        return np.argsort(-self._scores.sample(rng), kind="stable")[: self.k]

    @cached_property
    def _grid(self) -> tuple[Floats, Floats]:
        """Nodes (g,) and half the widths of the intervals; nothing below the k-th largest of the low quantiles
        can matter."""
        cuts = np.stack([self._scores.quantiles(level) for level in LEVELS])
        least = np.sort(cuts[0])[-self.k]
        edges = np.unique(np.concatenate([[least], cuts[cuts > least]]))
        half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
        nodes: Floats = (middle[:, None] + half[:, None] * NODES).ravel()
        return nodes, half

    @cached_property
    def _density(self) -> Floats:
        return self._scores.densities(self._grid[0])

    @cached_property
    def _below(self) -> Floats:
        return self._scores.below(self._grid[0])

    def _integral(self, values: Floats) -> float:
        return float(self._grid[1] @ (values.reshape(-1, len(NODES)) @ WEIGHTS))

    def _running(self, values: Floats) -> Floats:
        """(g,) the integral up to each node."""
        blocks = values.reshape(-1, len(NODES))
        whole = np.cumsum(self._grid[1] * (blocks @ WEIGHTS))
        before = np.concatenate([[0.0], whole[:-1]])
        found: Floats = (before[:, None] + self._grid[1][:, None] * (blocks @ PARTIAL.T)).ravel()
        return found

    def row(self, arm: int) -> Floats:
        others = np.delete(self._below, arm, axis=0)
        exceeding = np.zeros((self.k, others.shape[1]))  # P(exactly j of the others so far exceed x)
        exceeding[0] = 1.0
        for below in others:
            exceeding[1:] = exceeding[1:] * below + exceeding[:-1] * (1 - below)
            exceeding[0] *= below
        chances = [self._integral(self._density[arm] * chance) for chance in exceeding]
        found: Floats = np.clip(np.array(chances), 0.0, 1.0)
        return found

    def probability(self, slate: Ints) -> float:
        inner = np.prod(np.delete(self._below, slate, axis=0), axis=0)
        for arm in slate[:0:-1]:
            inner = self._running(self._density[arm] * inner)
        return float(np.clip(self._integral(self._density[slate[0]] * inner), 0.0, 1.0))
