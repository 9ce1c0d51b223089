"""What every distribution over slates can say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from math import perm

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Order(ABC):
    """A distribution over ordered slates of k out of m arms (arms are rows 0 … m - 1 here)."""

    def __init__(self, m: int, k: int) -> None:
        self.m, self.k = m, k

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Ints:
        """(k,) one slate."""

    @abstractmethod
    def probability(self, slate: Ints) -> float:
        """Of exactly this slate, in this order."""

    @abstractmethod
    def row(self, arm: int) -> Floats:
        """(k,) the probabilities of an arm at each place."""

    def at(self, arm: int, place: int) -> float:
        """The probability of an arm at a place."""
        return float(self.row(arm)[place])

    def anywhere(self, arm: int) -> float:
        """The probability of an arm at any place: places exclude each other."""
        return float(min(self.row(arm).sum(), 1.0))

    @cached_property
    def marginals(self) -> Floats:
        """(m, k) all of them; each column sums to 1."""
        return np.stack([self.row(arm) for arm in range(self.m)])


class Uniform(Order):
    """Every slate is as likely as every other.

    >>> Uniform(4, 2).probability(np.array([3, 0])) == 1 / 12
    True
    """

    def sample(self, rng: np.random.Generator) -> Ints:
        return rng.permutation(self.m)[: self.k]

    def probability(self, slate: Ints) -> float:
        return 1.0 / perm(self.m, self.k)

    def row(self, arm: int) -> Floats:
        return np.full(self.k, 1.0 / self.m)


class Mixture(Order):
    """With probability ``epsilon`` a uniform slate, else one of ``main``.

    >>> Mixture(0.5, Uniform(2, 1)).row(0).tolist()
    [0.5]
    """

    def __init__(self, epsilon: float, main: Order) -> None:
        super().__init__(main.m, main.k)
        self.epsilon, self.main, self.uniform = epsilon, main, Uniform(main.m, main.k)

    def sample(self, rng: np.random.Generator) -> Ints:
        return (self.uniform if rng.random() < self.epsilon else self.main).sample(rng)

    def probability(self, slate: Ints) -> float:
        return self.epsilon * self.uniform.probability(slate) + (1 - self.epsilon) * self.main.probability(
            slate
        )

    def row(self, arm: int) -> Floats:
        return self.epsilon * self.uniform.row(arm) + (1 - self.epsilon) * self.main.row(arm)
