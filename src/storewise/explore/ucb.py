"""UCB1: the best that could still be true (Auer, Cesa-Bianchi & Fischer, 2002)."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.explore.base import Context
from storewise.explore.context_free import ContextFree
from storewise.explore.feedback import Feedback, FeedbackConfig
from storewise.explore.orders.base import Mixture, Order
from storewise.explore.orders.sorted import Sorted


class UcbConfig(FeedbackConfig):
    """``width`` c of the bonus; ``epsilon``: the share of uniform decisions, 0 in the textbook. With 0 most
    propensities are 1 or 0, and no other policy can be judged by the log."""

    width: float = Field(default=1.0, ge=0.0)
    epsilon: float = Field(default=0.0, ge=0.0, le=1.0)


class Ucb1(ContextFree[UcbConfig]):
    """The k largest of mean + c √(2 ln N / n), n an arm's looks and N those of all arms; arms never looked at
    come first, in random order. With a discount it is D-UCB, with a window SW-UCB (Garivier & Moulines, 2011).

    >>> Ucb1().order(Context.of([3, 5])).marginals.tolist()
    [[0.5], [0.5]]
    """

    Config = UcbConfig

    def order(self, context: Context) -> Order:
        looks, rewards = self.looks_and_rewards(context.arms)
        seen = np.maximum(looks, 1e-12)
        total = max(float(self._memory.total()[0]), 1.0)
        index = rewards / seen + self.config.width * np.sqrt(2 * np.log(total) / seen)
        index[looks <= 0] = np.inf
        return Mixture(self.config.epsilon, Sorted(index, context.places))


class CascadeUcbConfig(UcbConfig):
    feedback: Feedback = "cascade"


class CascadeUcb(Ucb1):
    """CascadeUCB1 (Kveton, Szepesvári, Wen & Ashkan, 2015): UCB1 that learns from what was looked at."""

    Config = CascadeUcbConfig
