"""Policies that know each arm by its past rewards alone."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from storewise.core.component import Arrays
from storewise.explore.base import Context, Floats, Ints, Logged, Policy
from storewise.explore.feedback import FeedbackConfig, counted, evidence
from storewise.explore.memory import Memory

ConfigT = TypeVar("ConfigT", bound=FeedbackConfig)


class ContextFree(Policy[ConfigT]):
    """Weights, rewards and squared rewards by arm.

    Under position-based feedback a place looked at with probability κ counts κ of a look and all of its
    reward, so that reward over looks is the attraction (Lagrée et al., 2016).
    """

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self._memory = Memory(3, discount=self.config.discount, window=self.config.window)

    def update(self, batch: Logged) -> None:
        arms, rewards, weights = evidence(batch, self.config)
        rows, _ = np.nonzero(counted(batch, self.config))
        given = batch.weights[rows]
        values = np.stack([weights, given * rewards, given * rewards**2], axis=1)
        self._memory.add(arms, values, decisions=len(batch))

    def looks_and_rewards(self, arms: Ints) -> tuple[Floats, Floats]:
        """(m,) each: how often an arm was looked at and what it brought in all."""
        known = self._memory.of(arms)
        return known[:, 0], known[:, 1]

    def scores(self, context: Context) -> Floats:
        looks, rewards = self.looks_and_rewards(context.arms)
        return rewards / np.maximum(looks, 1e-12)

    def state(self) -> Arrays:
        return self._memory.state()

    def restore(self, state: Arrays) -> None:
        self._memory.restore(state)

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        order = self.order(Context(arms, np.zeros((len(arms), 0))))
        return arms[np.array([order.sample(rng)[0] for _ in range(len(features))], np.int64)]
