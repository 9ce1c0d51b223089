"""How much a policy loses to the best choice while it learns, and how fast the loss grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.rng import spawn
from storewise.explore.base import Logged, Policy
from storewise.metrics.intervals import Interval

Floats = npt.NDArray[np.float64]

BATCH = 100  # decisions between two updates: a shop's log comes in batches
FIRST = 0.01  # the exponent is fitted from this share of the rounds on


@dataclass(frozen=True)
class World:
    """``coefficients`` (arms, d): the chance of reward is 1 / 2 + xᵀθ_a, x uniform on a sphere of radius
    ``radius`` (d = 0 contexts: ``chances`` alone). Rewards are 0 or 1."""

    chances: Floats
    coefficients: Floats | None = None
    radius: float = 1.0

    @classmethod
    def without_contexts(cls, arms: int, rng: np.random.Generator) -> World:
        """Chances spread over [0.1, 0.5]."""
        return cls(rng.permutation(np.linspace(0.1, 0.5, arms)))

    @classmethod
    def linear(cls, arms: int, width: int, rng: np.random.Generator) -> World:
        """Coefficients of length up to 0.5, so that chances stay within [0, 1]."""
        theta = rng.normal(size=(arms, width))
        theta *= 0.5 / np.linalg.norm(theta, axis=1, keepdims=True)
        return cls(np.full(arms, 0.5), theta * rng.uniform(0.5, 1.0, (arms, 1)))

    def contexts(self, n: int, rng: np.random.Generator) -> Floats:
        """(n, d)"""
        if self.coefficients is None:
            return np.zeros((n, 0))
        x = rng.normal(size=(n, self.coefficients.shape[1]))
        found: Floats = self.radius * x / np.linalg.norm(x, axis=1, keepdims=True)
        return found

    def means(self, x: Floats) -> Floats:
        """(n, arms) the chances of reward."""
        if self.coefficients is None:
            return np.broadcast_to(self.chances, (len(x), len(self.chances)))
        found: Floats = self.chances + x @ self.coefficients.T
        return found


def regret(policy: Policy[Any], world: World, rounds: int, rng: np.random.Generator) -> Floats:
    """(rounds / BATCH,) the regret so far after each batch: Σ (best mean - mean of what was shown)."""
    arms = np.arange(len(world.chances))
    lost = np.zeros(rounds // BATCH)
    for step in range(len(lost)):
        x = world.contexts(BATCH, rng)
        means = world.means(x)
        features = np.repeat(x[:, None, :], len(arms), axis=1)
        shown = policy.choices(arms, features, rng)
        chance = means[np.arange(BATCH), shown]
        lost[step] = (means.max(axis=1) - chance).sum()
        rewards = (rng.random(BATCH) < chance).astype(np.float64)
        policy.update(Logged.of(arms=shown, rewards=rewards, features=x))
    return np.cumsum(lost)


def runs(
    make: Callable[[], Policy[Any]], worlds: list[World], rounds: int, *, seed: int, name: str
) -> Floats:
    """(worlds, rounds / BATCH): one run a world, each with its own generator."""
    return np.stack(
        [regret(make(), world, rounds, spawn(seed, name, number)) for number, world in enumerate(worlds)]
    )


def exponent(curves: Floats, *, seed: int, resamples: int = 1000) -> Interval:
    """a of regret ~ tᵃ over the rounds from ``FIRST`` on: the slope of log mean regret against log t at points
    evenly spread in log t, with a bootstrap interval over the runs.

    >>> t = BATCH * np.arange(1, 1001)
    >>> round(exponent(np.sqrt(t)[None].repeat(3, axis=0), seed=0).value, 6)
    0.5
    """
    steps = curves.shape[1]
    points = np.unique(np.geomspace(max(1, FIRST * steps), steps, 30).astype(np.int64)) - 1
    log_t = np.log(points + 1.0)

    def slope(mean: Floats) -> Floats:
        y = np.log(np.maximum(mean[:, points], 1e-9))
        centred = log_t - log_t.mean()
        found: Floats = (y - y.mean(axis=1, keepdims=True)) @ centred / (centred @ centred)
        return found

    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(curves), (resamples, len(curves)))
    slopes = slope(np.stack([curves[rows].mean(axis=0) for rows in drawn]))
    low, high = np.quantile(slopes, [0.025, 0.975])
    return Interval(float(slope(curves.mean(axis=0, keepdims=True))[0]), float(low), float(high))
