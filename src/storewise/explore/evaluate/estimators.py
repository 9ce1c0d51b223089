"""Estimators of a policy's value from the log of another, each as :class:`Terms`.

In all of them w = π(a|x) / π₀(a|x) is the weight of a decision, r its reward, q(x, a) the reward model
(cross-fitted) and d = Σ_a π(a|x) q(x, a) what the model expects of the target policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from storewise.explore.evaluate.log import Floats
from storewise.explore.evaluate.terms import Terms


@dataclass(frozen=True)
class Evidence:
    """(n,) each: ``weights`` w, ``rewards`` r, ``fitted`` q of what was logged, ``direct`` d of the target
    policy. ``largest``: the largest weight that the two policies allow, ``reward_span``: of rewards."""

    weights: Floats
    rewards: Floats
    fitted: Floats
    direct: Floats
    largest: float
    reward_span: float = 1.0

    @property
    def residuals(self) -> Floats:
        return self.rewards - self.fitted

    @property
    def effective(self) -> float:
        """Kish's effective sample size (Σw)² / Σw²: how many decisions of the target policy the log is worth."""
        squares = float((self.weights**2).sum())
        return float(self.weights.sum()) ** 2 / squares if squares else 0.0


def ips(e: Evidence, limit: float = np.inf) -> Terms:
    """Inverse propensity score (Horvitz & Thompson, 1952): mean of w r. Unbiased where every action that the
    target may take could be logged."""
    return _plain(e, e.weights * e.rewards, e.largest)


def snips(e: Evidence, limit: float = np.inf) -> Terms:
    """Self-normalised IPS (Swaminathan & Joachims, 2015): Σ w r / Σ w. Biased by O(1/n), and steadier."""
    return _normalised(e, e.weights * e.rewards, np.zeros(len(e.rewards)))


def clipped(e: Evidence, limit: float = np.inf) -> Terms:
    """Clipped IPS (Ionides, 2008): mean of min(w, λ) r. Biased downwards for rewards that are not negative."""
    return _plain(e, np.minimum(e.weights, limit) * e.rewards, min(limit, e.largest))


def direct_method(e: Evidence, limit: float = np.inf) -> Terms:
    """Direct method: mean of d. As good as the reward model and no better. Its interval is that of the efficient
    influence function, d + w (r - q) around the mean of d: it knows the model's noise, but not its bias."""
    noise = e.weights * e.residuals
    n = len(noise)
    return Terms(e.direct, noise - noise.mean(), np.ones(n), (1 + 2 * e.largest) * e.reward_span)


def doubly_robust(e: Evidence, limit: float = np.inf) -> Terms:
    """Doubly robust (Dudík, Langford & Li, 2011): mean of d + w (r - q). Unbiased when the propensities are
    right, whatever the model; less noisy than IPS when the model is any good."""
    return _around(e, e.weights, e.largest)


def self_normalised_dr(e: Evidence, limit: float = np.inf) -> Terms:
    """Mean of d plus Σ w (r - q) / Σ w."""
    return _normalised(e, e.weights * e.residuals, e.direct)


def switch(e: Evidence, limit: float = np.inf) -> Terms:
    """SWITCH-DR (Wang, Agarwal & Dudík, 2017): mean of d + w (r - q) where w ≤ λ, d elsewhere."""
    return _around(e, np.where(e.weights <= limit, e.weights, 0.0), min(limit, e.largest))


def optimistic_shrinkage(e: Evidence, limit: float = np.inf) -> Terms:
    """DR with optimistic shrinkage (Su et al., 2020): the weights become λ w / (w² + λ); λ → 0 is the direct
    method, λ → ∞ doubly robust."""
    if np.isinf(limit):
        return doubly_robust(e)
    shrunk = limit * e.weights / (e.weights**2 + limit)
    return _around(e, shrunk, min(e.largest, np.sqrt(limit) / 2))


Estimator = Callable[..., Terms]

ESTIMATORS: dict[str, Estimator] = {
    "ips": ips,
    "snips": snips,
    "clipped ips": clipped,
    "dm": direct_method,
    "dr": doubly_robust,
    "sndr": self_normalised_dr,
    "switch-dr": switch,
    "dr-os": optimistic_shrinkage,
}
TUNED = ("clipped ips", "switch-dr", "dr-os")
"""Those with a λ, tuned by an estimate of the squared error (``tuning``)."""


def _plain(e: Evidence, terms: Floats, largest: float) -> Terms:
    n = len(terms)
    return Terms(np.zeros(n), terms, np.ones(n), largest * e.reward_span)


def _around(e: Evidence, weights: Floats, largest: float) -> Terms:
    """A residual lies within ± the span of rewards."""
    n = len(weights)
    return Terms(e.direct, weights * e.residuals, np.ones(n), (1 + 2 * largest) * e.reward_span)


def _normalised(e: Evidence, terms: Floats, base: Floats) -> Terms:
    mean = max(float(e.weights.mean()), 1e-300)
    return Terms(base, terms, e.weights, (e.largest / mean + float(base.any())) * e.reward_span)
