"""How often each place of a list is looked at, from clicks alone: the position-based model, fitted by EM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storewise.core.errors import DataError
from storewise.explore.base import EMPTY, Floats, Logged

ROUNDS, ENOUGH = 500, 1e-7


@dataclass(frozen=True)
class Examination:
    """``places`` (k,): the probability that a place is looked at, 1 at the first; ``attractions`` (arms,): the
    probability of a click when looked at, NaN for arms never shown."""

    places: Floats
    attractions: Floats


def estimate_examination(log: Logged, *, rounds: int = ROUNDS) -> Examination:
    """Maximum likelihood of P(click of arm a at place j) = κ_j α_a (Richardson, Dominowska & Ragno, 2007; EM as in
    Wang et al., 2018), scaled so that κ_1 = 1.

    A place without a click that was shown is looked at with probability κ (1 - α) / (1 - κ α) by Bayes; the
    M-step averages. κ and α can be told apart only where arms changed places: a log that explores, or shuffles.
    Feed ``places`` into ``FeedbackConfig.examination``.

    Raises:
        DataError: for an empty log, one without any click, or one whose arms never changed places.

    >>> rng = np.random.default_rng(0)
    >>> arms = np.array([rng.permutation(3) for _ in range(6000)])
    >>> chances = np.array([0.3, 0.5, 0.7])[arms] * np.array([1.0, 0.6, 0.3])
    >>> found = estimate_examination(Logged.of(arms=arms, rewards=rng.random(arms.shape) < chances))
    >>> found.places.round(1).tolist()
    [1.0, 0.6, 0.3]
    """
    shown, clicked = _counts(log)
    if not clicked.sum():
        raise DataError(
            "The log has no click.", next_step="Wait for clicks, or keep the default examination."
        )
    if len(shown) > 1 and ((shown > 0).sum(axis=0) < 2).all():
        raise DataError(
            "Every arm always stood at the same place: what is looked at cannot be told from what is liked.",
            next_step="Estimate from a log in which lists explore or were shuffled.",
        )
    k = len(shown)
    total = np.maximum(shown.sum(axis=0), 1e-300)
    kappa = np.full(k, 0.7)
    alpha = np.clip(clicked.sum(axis=0) / total / 0.7, 1e-6, 1 - 1e-6)
    for _ in range(rounds):
        missed = shown - clicked
        nothing = np.maximum(1 - kappa[:, None] * alpha, 1e-12)
        looked = clicked + missed * kappa[:, None] * (1 - alpha) / nothing
        liked = clicked + missed * alpha * (1 - kappa[:, None]) / nothing
        before = kappa
        kappa = looked.sum(axis=1) / np.maximum(shown.sum(axis=1), 1e-300)
        alpha = np.clip(liked.sum(axis=0) / total, 1e-12, 1 - 1e-12)
        if np.abs(kappa - before).max() < ENOUGH:
            break
    first = max(float(kappa[0]), 1e-12)
    attractions = np.where(shown.sum(axis=0) > 0, np.minimum(alpha * first, 1.0), np.nan)
    return Examination(np.minimum(kappa / first, 1.0), attractions)


def _counts(log: Logged) -> tuple[Floats, Floats]:
    """(k, arms) how often each arm was shown at each place, and clicked there."""
    rows, places = np.nonzero(log.arms != EMPTY)
    if not len(rows):
        raise DataError("The log has no rows.", next_step="Give decisions and what came of them.")
    arms = log.arms[rows, places]
    shape = log.arms.shape[1], int(arms.max()) + 1
    shown, clicked = np.zeros(shape), np.zeros(shape)
    np.add.at(shown, (places, arms), log.weights[rows])
    np.add.at(clicked, (places, arms), log.weights[rows] * (log.rewards[rows, places] > 0))
    return shown, clicked
