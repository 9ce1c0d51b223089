"""Estimators of what a policy's whole lists would bring, each as :class:`Terms` of one term a slate.

A slate's reward is the sum of its places' rewards. Three kinds of weights, from probabilities of target over
logging policy: of the whole slate w, of each place's arm there w_j, and of the first j + 1 places w_{0:j}. What
may be assumed of shoppers decides which of them is enough; fewer assumptions, more noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from storewise.core.errors import DataError
from storewise.explore.evaluate.log import Floats, Ints
from storewise.explore.evaluate.terms import Terms


@dataclass(frozen=True)
class SlateEvidence:
    """``rewards`` (n, k); ``slate`` (n,), ``places`` and ``prefixes`` (n, k): weights as above, where they are
    known (None: the estimators that need them cannot be had). ``pseudo`` (n,): see :func:`pseudo_weights`;
    ``fitted`` and ``expected`` (n, k): see :func:`place_model`."""

    rewards: Floats
    slate: Floats | None = None
    places: Floats | None = None
    prefixes: Floats | None = None
    pseudo: Floats | None = None
    fitted: Floats | None = None
    expected: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("slate", "places", "prefixes", "pseudo", "fitted", "expected"):
            part = getattr(self, name)
            if part is not None and not np.isfinite(part[: len(part)]).all():
                raise DataError(
                    f"A weight of the {name} is not finite.",
                    next_step="Check the propensities of the log: each must be above 0.",
                )


def standard(e: SlateEvidence) -> Terms:
    """Slate IPS: mean of w Σ_j r_j. No assumption on shoppers; the weights grow with the number of slates."""
    return _plain(_need(e.slate, "slate") * e.rewards.sum(axis=1))


def independent(e: SlateEvidence) -> Terms:
    """Independent IPS (Li et al., 2018): mean of Σ_j w_j r_j. A place's reward depends on the arm there alone."""
    return _plain((_need(e.places, "place") * e.rewards).sum(axis=1))


def cascading(e: SlateEvidence) -> Terms:
    """Reward-interaction IPS (McInerney et al., 2020): mean of Σ_j w_{0:j} r_j. Shoppers look from the top: a
    reward depends on the arm there and on those above it."""
    return _plain((_need(e.prefixes, "prefix") * e.rewards).sum(axis=1))


def cascade_dr(e: SlateEvidence) -> Terms:
    """Cascade doubly robust (Kiyohara et al., 2022), with a model of each place's own reward: mean of
    Σ_j w_{0:j} (r_j - q_j(a_j)) + w_{0:j-1} Σ_a π(a | a_0 … a_{j-1}) q_j(a). Unbiased as cascade IPS is, whatever
    the model, and steadier when it is any good."""
    prefixes = _need(e.prefixes, "prefix")
    fitted, expected = _need(e.fitted, "reward model's"), _need(e.expected, "reward model's")
    before = np.concatenate([np.ones((len(prefixes), 1)), prefixes[:, :-1]], axis=1)
    return _plain((prefixes * (e.rewards - fitted) + before * expected).sum(axis=1))


def pseudoinverse(e: SlateEvidence) -> Terms:
    """Pseudoinverse (Swaminathan et al., 2017): mean of w⁺ Σ_j r_j, w⁺ by :func:`pseudo_weights`, or
    1 + Σ_j (w_j - 1) where places are filled independently. The slate's reward is a sum over (place, arm)."""
    if e.pseudo is not None:
        return _plain(e.pseudo * e.rewards.sum(axis=1))
    weights = 1 + (_need(e.places, "place") - 1).sum(axis=1)
    return _plain(weights * e.rewards.sum(axis=1))


def self_normalised(e: SlateEvidence) -> Terms:
    """Slate IPS with Σ w beneath."""
    weights = _need(e.slate, "slate")
    return Terms(np.zeros(len(weights)), weights * e.rewards.sum(axis=1), weights, _span(weights))


def self_normalised_independent(e: SlateEvidence) -> Terms:
    """Independent IPS, each place with its own Σ w_j beneath."""
    return _by_place(_need(e.places, "place"), e.rewards)


def self_normalised_cascading(e: SlateEvidence) -> Terms:
    """Reward-interaction IPS, each place with its own Σ w_{0:j} beneath: RIPS as published."""
    return _by_place(_need(e.prefixes, "prefix"), e.rewards)


SLATE_ESTIMATORS: dict[str, Callable[[SlateEvidence], Terms]] = {
    "slate ips": standard,
    "slate snips": self_normalised,
    "independent ips": independent,
    "independent snips": self_normalised_independent,
    "cascade ips": cascading,
    "rips": self_normalised_cascading,
    "cascade dr": cascade_dr,
    "pseudoinverse": pseudoinverse,
}


def place_model(
    slates: Ints, rewards: Floats, conditional: Floats, *, rng: np.random.Generator, folds: int = 3
) -> tuple[Floats, Floats]:
    """``fitted`` and ``expected`` (n, k): the mean reward q_j(a) of each arm at each place, cross-fitted and
    shrunk towards the place's mean by 10 pseudo-slates, of what was shown and of what the target would show
    next. ``slates`` (n, k); ``conditional`` (n, k, m): the target's π(a | a_0 … a_{j-1}) at each place.

    >>> slates, rewards = np.array([[0], [1]] * 30), np.array([[1.0], [0.0]] * 30)
    >>> both = np.full((60, 1, 2), 0.5)
    >>> fitted, expected = place_model(slates, rewards, both, rng=np.random.default_rng(0))
    >>> bool(fitted[0, 0] > 0.7), bool(fitted[1, 0] < 0.3), bool(abs(expected.mean() - 0.5) < 0.1)
    (True, True, True)
    """
    n, k, m = conditional.shape
    fold, places = rng.permutation(n) % min(folds, n), np.arange(k)
    fitted, expected = np.zeros((n, k)), np.zeros((n, k))
    for part in range(int(fold.max()) + 1):
        inside = fold == part
        learn = ~inside if not inside.all() else inside
        counts, sums = np.zeros((k, m)), np.zeros((k, m))
        at = np.broadcast_to(places, slates[learn].shape)
        np.add.at(counts, (at, slates[learn]), 1.0)
        np.add.at(sums, (at, slates[learn]), rewards[learn])
        mean = sums.sum(axis=1, keepdims=True) / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        q = (sums + 10 * mean) / (counts + 10)
        fitted[inside] = q[places, slates[inside]]
        expected[inside] = (conditional[inside] * q).sum(axis=2)
    return fitted, expected


def pseudo_weights(slates: Ints, shown: Ints, chances: Floats, target: Floats) -> Floats:
    """(n,) w⁺ = 1ᵀ_s Γ⁺ q for logged slates (n, k): ``shown`` (s, k) every slate of the logging policy with its
    probability ``chances`` (s,); ``target`` (m, k) the target's probability of each arm at each place.

    Γ is the logging policy's E[1_s 1_sᵀ] over (arm, place) indicators; ⁺ is the Moore-Penrose inverse.

    >>> shown = np.array([[0, 1], [1, 0]])
    >>> pseudo_weights(shown, shown, np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]])).round(6).tolist()
    [1.8, 0.2]
    """
    m, k = target.shape
    places = np.arange(k)
    indicators = np.zeros((len(shown), m * k))
    indicators[np.arange(len(shown))[:, None], shown * k + places] = 1.0
    gamma = indicators.T @ (chances[:, None] * indicators)
    row = np.linalg.pinv(gamma, rcond=1e-10, hermitian=True) @ target.ravel()
    found: Floats = row[slates * k + places].sum(axis=1)
    return found


def _need(weights: Floats | None, what: str) -> Floats:
    if weights is None:
        raise DataError(
            f"The log does not tell the {what} weights.",
            next_step="Log that probability with each decision, or use an estimator that does without.",
        )
    return weights


def _plain(terms: Floats) -> Terms:
    return Terms(np.zeros(len(terms)), terms, np.ones(len(terms)), float(np.ptp(np.append(terms, 0.0))))


def _by_place(weights: Floats, rewards: Floats) -> Terms:
    """Σ_j Σ_i w_ij r_ij / Σ_i w_ij, to first order in each place's ratio."""
    sums = np.maximum(weights.sum(axis=0), 1e-300)
    ratios = (weights * rewards).sum(axis=0) / sums
    influence = ratios + weights * (rewards - ratios) / (sums / len(weights))
    terms = influence.sum(axis=1)
    return Terms(terms, np.zeros(len(terms)), np.ones(len(terms)), float(np.ptp(terms)))


def _span(weights: Floats) -> float:
    return float(weights.max(initial=0.0) / max(weights.mean(), 1e-300))
