"""The value of a policy by every estimator, each with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from storewise.core.rng import derive_seed, spawn
from storewise.explore.evaluate.estimators import ESTIMATORS, TUNED, Evidence
from storewise.explore.evaluate.log import BanditLog, Target
from storewise.explore.evaluate.reward_model import Kind, cross_fit
from storewise.explore.evaluate.terms import Terms, bootstrap_all
from storewise.explore.evaluate.tuning import candidates, tune
from storewise.metrics.intervals import Interval


@dataclass(frozen=True)
class Estimate:
    """``bootstrap`` and ``bernstein`` hold the same value; ``limit`` is the tuned λ (None: has none)."""

    name: str
    bootstrap: Interval
    bernstein: Interval
    limit: float | None

    @property
    def value(self) -> float:
        return self.bootstrap.value


def evidence(
    log: BanditLog,
    target: Target,
    *,
    model: Kind = "means",
    strength: float = 1.0,
    seed: int = 0,
    largest: float | None = None,
) -> Evidence:
    """Weights, and the cross-fitted reward model.

    ``largest``: a weight that cannot be exceeded; default: the largest that the target's table allows with the
    smallest propensity logged of each action at its place.
    """
    fitted, direct = cross_fit(log, target, kind=model, strength=strength, rng=spawn(seed, "reward model"))
    span = float(max(log.rewards.max(), 0.0) - min(log.rewards.min(), 0.0)) or 1.0
    found = _largest(log, target) if largest is None else largest
    return Evidence(target.weights(log), log.rewards, fitted, direct, found, span)


def estimates(
    e: Evidence, *, names: Sequence[str] = tuple(ESTIMATORS), seed: int = 0, resamples: int = 1000
) -> list[Estimate]:
    """One a name; λ by ``tuning`` where there is one.

    >>> log = BanditLog.of([0, 1, 0, 1], [1, 0, 1, 0], [0.5] * 4)
    >>> e = evidence(log, Target.by_place(np.array([[1.0, 0.0]]), log))
    >>> estimates(e, names=["ips", "snips"])[1].value
    1.0
    """
    tuned = [terms_of(e, name) for name in names]
    intervals = bootstrap_all(
        [terms for terms, _ in tuned], seed=derive_seed(seed, "bootstrap"), resamples=resamples
    )
    low, high = min(float(e.rewards.min()), 0.0), max(float(e.rewards.max()), 0.0)
    return [
        Estimate(name, interval, _within(terms.bernstein(), low, high), limit)
        for name, interval, (terms, limit) in zip(names, intervals, tuned, strict=True)
    ]


def _within(interval: Interval, low: float, high: float) -> Interval:
    """No policy is worth more than the largest reward, or less than the smallest."""
    return Interval(interval.value, max(interval.low, low), min(interval.high, high))


def terms_of(e: Evidence, name: str) -> tuple[Terms, float | None]:
    """The terms of one estimator, and its λ; see :func:`kept_width` for its interval."""
    if name not in TUNED:
        return ESTIMATORS[name](e), None
    limit, terms = tune(e, ESTIMATORS[name], candidates(e, name))
    return kept_width(terms, ESTIMATORS[name](e)), limit


def kept_width(tuned: Terms, whole: Terms) -> Terms:
    """The value of ``tuned`` with the noise of ``whole``: what was traded away for bias is still not known, and
    an interval without it would promise too much."""
    rest = whole.top - tuned.top
    return replace(tuned, top=tuned.top + rest - rest.mean(), span=whole.span)


def _largest(log: BanditLog, target: Target) -> float:
    least = np.full((log.n_places, log.n_actions), np.inf)
    np.minimum.at(least, (log.places, log.actions), log.propensities)
    most = np.zeros_like(least)
    if len(target.table) == len(log):
        return float(target.weights(log).max())
    for place in range(log.n_places):
        most[place] = target.table[np.unique(target.rows[log.places == place])].max(axis=0, initial=0.0)
    return float((most / least).max())
