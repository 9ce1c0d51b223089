"""Thompson sampling over candidates whose chances a predictor gives: for the last places of a list."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.errors import DataError
from storewise.explore.base import Context, Floats, Ints
from storewise.explore.context_free import ContextFree
from storewise.explore.feedback import FeedbackConfig
from storewise.explore.orders.base import Mixture, Order
from storewise.explore.orders.drawn import Drawn

LEAST = 1e-6  # a chance of exactly 0 or 1 leaves nothing to explore


class SlateThompsonConfig(FeedbackConfig):
    """``epsilon``: the share of uniform slates, which keeps every propensity at least ε / m; ``draws``: how many
    posterior draws the policy mixes; ``evidence``: the most pseudo-looks that a predictor's chance may claim,
    ``least_evidence`` the fewest; ``seed`` of the draws."""

    epsilon: float = Field(default=0.05, ge=0.0, le=1.0)
    draws: int = Field(default=256, ge=1, le=100_000)
    evidence: float = Field(default=10_000.0, gt=0.0)
    least_evidence: float = Field(default=2.0, gt=0.0)
    seed: int = Field(default=0, ge=0)


class SlateThompson(ContextFree[SlateThompsonConfig]):
    """Each candidate's chance has a Beta posterior: the predictor's p and standard error s as its prior, of
    p (1 - p) / s² - 1 pseudo-looks (bounded as configured), plus what the log has told since the predictor was
    trained (``update``; start anew, with a fresh policy, when the predictor is trained again).

    The policy is a finite mixture of ``draws`` posterior draws, so that every propensity is an exact share
    (``orders.drawn``); ``epsilon`` keeps all of them above 0. The draws depend on ``seed``, on the candidates
    and on the number of updates alone: the same context has the same distribution until the next update.

    >>> context = Context.of([8, 3, 5], places=2, values=[0.1, 0.1, 0.1], deviations=[0.03, 0.03, 0.03])
    >>> decision = SlateThompson().decide(context, np.random.default_rng(0))
    >>> len(decision.arms), bool(decision.propensities.min() >= 0.05 / 3)
    (2, True)
    """

    Config = SlateThompsonConfig

    def order(self, context: Context) -> Order:
        a, b = self.posterior(context)
        rng = np.random.default_rng([self.config.seed, self._memory.updates, *context.arms.tolist()])
        drawn = rng.beta(a, b, size=(self.config.draws, len(context)))
        return Mixture(self.config.epsilon, Drawn(drawn, context.places))

    def posterior(self, context: Context) -> tuple[Floats, Floats]:
        """(m,) each: the parameters of every candidate's Beta posterior.

        Raises:
            DataError: for chances outside [0, 1].
        """
        p, looks = self._prior(context)
        seen, rewards = self.looks_and_rewards(context.arms)
        return p * looks + rewards, (1 - p) * looks + np.maximum(seen - rewards, 0.0)

    def scores(self, context: Context) -> Floats:
        a, b = self.posterior(context)
        return a / (a + b)

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        order = self.order(Context(arms, np.zeros((len(arms), 0))))
        return arms[np.array([order.sample(rng)[0] for _ in range(len(features))], np.int64)]

    def _prior(self, context: Context) -> tuple[Floats, Floats]:
        values = np.full(len(context), 0.5) if context.values is None else context.values
        if ((values < 0) | (values > 1)).any():
            worst = float(values[(values < 0) | (values > 1)][0])
            raise DataError(
                f"The chance of a candidate is {worst}; it must be from 0 to 1.",
                next_step="Give calibrated probabilities, not scores.",
            )
        p = np.clip(values, LEAST, 1 - LEAST)
        if context.deviations is None:
            return p, np.full(len(p), self.config.least_evidence)
        looks = p * (1 - p) / np.maximum(context.deviations, 1e-12) ** 2 - 1
        return p, np.clip(looks, self.config.least_evidence, self.config.evidence)
