"""Thompson sampling with conjugate posteriors (Thompson, 1933): show what is best in a world drawn from belief."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.errors import DataError
from storewise.explore.base import Context, Floats, Ints, Logged
from storewise.explore.context_free import ContextFree
from storewise.explore.feedback import Feedback, FeedbackConfig
from storewise.explore.orders.base import Mixture, Order
from storewise.explore.orders.independent import Independent, Scores
from storewise.explore.orders.scores import Betas, Normals


class ThompsonBetaConfig(FeedbackConfig):
    """``a``, ``b``: the prior Beta(a, b) of every arm's probability; ``epsilon``: the share of uniform decisions."""

    a: float = Field(default=1.0, gt=0.0)
    b: float = Field(default=1.0, gt=0.0)
    epsilon: float = Field(default=0.0, ge=0.0, le=1.0)


class ThompsonBeta(ContextFree[ThompsonBetaConfig]):
    """Rewards in [0, 1]; an arm's chance has posterior Beta(a + rewards, b + looks - rewards). Propensities by
    quadrature (``orders.independent``).

    Under position-based feedback looks are expected ones, and rewards may exceed them: b + max(looks - rewards, 0).

    >>> policy = ThompsonBeta()
    >>> policy.update(Logged.of(arms=[1, 1, 1], rewards=[1, 1, 0]))
    >>> policy.order(Context.of([0, 1])).marginals.round(3).tolist()  # P(U > Beta(3, 2)) = 2/5
    [[0.4], [0.6]]
    """

    Config = ThompsonBetaConfig

    def update(self, batch: Logged) -> None:
        _check_unit(batch)
        super().update(batch)

    def posterior(self, arms: Ints) -> tuple[Floats, Floats]:
        """(m,) each: the two parameters."""
        looks, rewards = self.looks_and_rewards(arms)
        return self.config.a + rewards, self.config.b + np.maximum(looks - rewards, 0.0)

    def order(self, context: Context) -> Order:
        return _mixed(Betas(*self.posterior(context.arms)), context, self.config.epsilon)

    def scores(self, context: Context) -> Floats:
        a, b = self.posterior(context.arms)
        return a / (a + b)

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        a, b = self.posterior(arms)
        return _best(arms, rng.beta(a, b, size=(len(features), len(arms))), self.config.epsilon, rng)


class CascadeThompsonConfig(ThompsonBetaConfig):
    feedback: Feedback = "cascade"


class CascadeThompson(ThompsonBeta):
    """CascadeTS (Zhong, Cheung & Tan, 2021, with Beta posteriors): learns from what was looked at."""

    Config = CascadeThompsonConfig


class PositionThompsonConfig(ThompsonBetaConfig):
    feedback: Feedback = "position"


class PositionThompson(ThompsonBeta):
    """Thompson sampling in the position-based model: a place counts as far as it is looked at."""

    Config = PositionThompsonConfig


class ThompsonGaussianConfig(FeedbackConfig):
    """Prior N(``mean``, ``deviation``²) of every arm's mean reward; ``noise``: the standard deviation of one
    reward; ``epsilon``: the share of uniform decisions."""

    mean: float = 0.0
    deviation: float = Field(default=1.0, gt=0.0)
    noise: float = Field(default=0.5, gt=0.0)
    epsilon: float = Field(default=0.0, ge=0.0, le=1.0)


class ThompsonGaussian(ContextFree[ThompsonGaussianConfig]):
    """Rewards of any size (margin, say); an arm's mean has posterior precision 1/deviation² + looks/noise².
    Propensities by quadrature.

    >>> policy = ThompsonGaussian(ThompsonGaussianConfig(noise=1.0))
    >>> policy.update(Logged.of(arms=[0], rewards=[2.0]))
    >>> policy.scores(Context.of([0, 1])).tolist()
    [1.0, 0.0]
    """

    Config = ThompsonGaussianConfig

    def posterior(self, arms: Ints) -> tuple[Floats, Floats]:
        """(m,) each: mean and standard deviation."""
        looks, rewards = self.looks_and_rewards(arms)
        prior, noise = self.config.deviation**-2, self.config.noise**-2
        precision = prior + looks * noise
        return (prior * self.config.mean + rewards * noise) / precision, precision**-0.5

    def order(self, context: Context) -> Order:
        return _mixed(Normals(*self.posterior(context.arms)), context, self.config.epsilon)

    def scores(self, context: Context) -> Floats:
        return self.posterior(context.arms)[0]

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        mean, deviation = self.posterior(arms)
        drawn = rng.normal(mean, deviation, size=(len(features), len(arms)))
        return _best(arms, drawn, self.config.epsilon, rng)


def _mixed(scores: Scores, context: Context, epsilon: float) -> Order:
    return Mixture(epsilon, Independent(scores, context.places))


def _best(arms: Ints, drawn: Floats, epsilon: float, rng: np.random.Generator) -> Ints:
    best = np.argmax(drawn, axis=1)
    if epsilon:
        uniform = rng.random(len(drawn)) < epsilon
        best[uniform] = rng.integers(0, len(arms), int(uniform.sum()))
    found: Ints = arms[best]
    return found


def _check_unit(batch: Logged) -> None:
    shown = batch.rewards[batch.arms >= 0]
    if ((shown < 0) | (shown > 1)).any():
        worst = float(shown[(shown < 0) | (shown > 1)][0])
        raise DataError(
            f"A reward is {worst}; Beta posteriors need rewards from 0 to 1.",
            next_step="Scale the rewards, or use explore.thompson_gaussian.v1.",
        )
