"""Linear Thompson sampling (Agrawal & Goyal, 2013): show what is best under coefficients drawn from belief."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.explore.base import Context, Floats, Ints
from storewise.explore.linear import Linear, LinearConfig, mixed_best
from storewise.explore.orders.base import Mixture, Order
from storewise.explore.orders.drawn import Drawn
from storewise.explore.orders.independent import Independent
from storewise.explore.orders.scores import Normals


class LinearThompsonConfig(LinearConfig):
    """``noise`` v: the posterior is N(θ, v² A⁻¹); ``draws``: with ``shared``, the coefficient vectors that the
    policy mixes, drawn anew with every update from ``seed``."""

    noise: float = Field(default=0.3, gt=0.0)
    draws: int = Field(default=512, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)


ConfigT = TypeVar("ConfigT", bound=LinearThompsonConfig)


class LinearThompson(Linear[ConfigT]):
    """With coefficients of each arm's own, the scores xᵀθ_a are independent normals, and propensities come by
    quadrature (``orders.independent``). With shared coefficients they hang together: then the policy is the
    finite mixture of ``draws`` vectors, and propensities are exact shares of it (``orders.drawn``).

    >>> policy = LinearThompson()
    >>> policy.order(Context.of([0, 1], features=[[1.0], [1.0]])).marginals.round(6).tolist()
    [[0.5], [0.5]]
    """

    Config: ClassVar[type[Config]] = LinearThompsonConfig

    def order(self, context: Context) -> Order:
        if self.config.shared:
            x = self.transform(context.features)
            main: Order = Drawn(self._drawn(x.shape[-1]) @ x.T, context.places)
        else:
            means, variances = self.means_and_variances(context.arms, context.features)
            main = Independent(Normals(means, self.config.noise * np.sqrt(variances)), context.places)
        return Mixture(self.config.epsilon, main)

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        if self.config.shared:
            x = self.transform(features)
            drawn = self._drawn(x.shape[-1])
            theta = drawn[rng.integers(len(drawn), size=len(features))]
            sampled = (x * theta[:, None, :]).sum(axis=-1)
        else:
            means, variances = self.means_and_variances(arms, features)
            sampled = rng.normal(means, np.maximum(self.config.noise * np.sqrt(variances), 1e-9))
        return mixed_best(arms, sampled, self.config.epsilon, rng)

    def _drawn(self, width: int) -> Floats:
        """(draws, d) coefficient vectors; they depend on the seed and the state alone."""
        theta, inverse = self.solved(np.zeros(1, np.int64), width)
        rng = np.random.default_rng([self.config.seed, self.updates])
        root = np.linalg.cholesky(inverse[0] + 1e-12 * np.eye(width))
        normal = rng.standard_normal((self.config.draws, width))
        found: Floats = theta[0] + self.config.noise * normal @ root.T
        return found
