"""ε-greedy: mostly the best so far, now and then anything."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.explore.base import Context
from storewise.explore.context_free import ContextFree
from storewise.explore.feedback import FeedbackConfig
from storewise.explore.orders.base import Mixture, Order
from storewise.explore.orders.sorted import Sorted


class EpsilonGreedyConfig(FeedbackConfig):
    """``epsilon``: the share of decisions that are uniform; ``optimism``: the mean of an arm never looked at."""

    epsilon: float = Field(default=0.1, ge=0.0, le=1.0)
    optimism: float = 1.0


class EpsilonGreedy(ContextFree[EpsilonGreedyConfig]):
    """With probability ε a uniform slate, else the best k by mean reward, ties at random.

    Propensities in closed form: ε / m + (1 - ε) · (1 / ties where the arm is among the best).

    >>> from storewise.explore.base import Logged
    >>> policy = EpsilonGreedy(EpsilonGreedyConfig(epsilon=0.2))
    >>> policy.update(Logged.of(arms=[0, 1], rewards=[1, 0]))
    >>> policy.order(Context.of([0, 1])).marginals.round(2).tolist()
    [[0.9], [0.1]]
    """

    Config = EpsilonGreedyConfig

    def order(self, context: Context) -> Order:
        looks, rewards = self.looks_and_rewards(context.arms)
        means = np.where(looks > 0, rewards / np.maximum(looks, 1e-12), self.config.optimism)
        return Mixture(self.config.epsilon, Sorted(means, context.places))
