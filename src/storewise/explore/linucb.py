"""LinUCB (Li, Chu, Langford & Schapire, 2010): the best that could still be true, by features."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.explore.base import Context, Floats, Ints
from storewise.explore.linear import Linear, LinearConfig, mixed_best
from storewise.explore.orders.base import Mixture, Order
from storewise.explore.orders.sorted import Sorted


class LinUcbConfig(LinearConfig):
    """``width`` α of the bonus, in units of the rewards."""

    width: float = Field(default=1.0, ge=0.0)


class LinUcb(Linear[LinUcbConfig]):
    """The k largest of xᵀθ + α √(xᵀ A⁻¹ x), ties at random.

    >>> policy = LinUcb()
    >>> decision = policy.decide(Context.of([0, 1], features=[[1.0], [0.0]]), np.random.default_rng(0))
    >>> decision.arms.tolist()  # nothing is known, and more of a feature is more to learn
    [0]
    """

    Config = LinUcbConfig

    def _index(self, arms: Ints, features: Floats) -> Floats:
        means, variances = self.means_and_variances(arms, features)
        found: Floats = means + self.config.width * np.sqrt(variances)
        return found

    def order(self, context: Context) -> Order:
        index = self._index(context.arms, context.features)
        return Mixture(self.config.epsilon, Sorted(index, context.places))

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        return mixed_best(arms, self._index(arms, features), self.config.epsilon, rng)
