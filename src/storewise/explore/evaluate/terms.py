"""The common form of all estimators, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from storewise.explore.evaluate.log import Floats
from storewise.metrics.intervals import LEVEL, RESAMPLES, Interval, draws


@dataclass(frozen=True)
class Terms:
    """An estimate as mean(``base``) + Σ ``top`` / Σ ``bottom``, each (n,), one a decision (or a slate).

    ``bottom`` of ones is a plain mean, of weights a self-normalised one. ``span``: the width of the range that
    one term can have, for finite-sample bounds.

    >>> Terms(np.zeros(2), np.array([1.0, 0.0]), np.array([1.0, 3.0]), span=1.0).value
    0.25
    """

    base: Floats
    top: Floats
    bottom: Floats
    span: float

    @property
    def value(self) -> float:
        """The estimate; NaN where the weights are all zero."""
        return float(self.base.mean() + _ratio(self.top.sum(), self.bottom.sum()))

    @property
    def influence(self) -> Floats:
        """(n,) what each decision contributes: its mean is the estimate. Exact for plain means, the first-order
        expansion for ratios."""
        ratio = _ratio(self.top.sum(), self.bottom.sum())
        mean = max(self.bottom.mean(), 1e-300)
        found: Floats = self.base + ratio + (self.top - ratio * self.bottom) / mean
        return found

    def standard_error(self) -> float:
        """By the influence of each decision."""
        n = len(self.base)
        return float(self.influence.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")

    def normal(self, *, level: float = LEVEL) -> Interval:
        """Estimate ± z · standard error."""
        half = float(ndtri((1 + level) / 2)) * self.standard_error()
        return Interval(self.value, self.value - half, self.value + half)

    def bootstrap(self, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval:
        """Percentile interval, decisions resampled (Efron, 1979)."""
        return bootstrap_all([self], seed=seed, resamples=resamples, level=level)[0]

    def bernstein(self, *, level: float = LEVEL) -> Interval:
        """Empirical Bernstein (Maurer & Pontil, 2009, theorem 4, both sides): with δ = 1 - level, V the sample
        variance and R = ``span``,

        |estimate - value| ≤ √(2 V ln(4/δ) / n) + 7 R ln(4/δ) / (3 (n - 1)).

        It holds for every n when the terms are independent and R is right; for self-normalised estimators it
        holds up to first order.
        """
        n = len(self.base)
        if n < 2:
            return Interval(self.value, float("-inf"), float("inf"))
        log = np.log(4 / (1 - level))
        variance = float(self.influence.var(ddof=1))
        half = float(np.sqrt(2 * variance * log / n) + 7 * self.span * log / (3 * (n - 1)))
        return Interval(self.value, self.value - half, self.value + half)


def bootstrap_all(
    estimates: Sequence[Terms], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """The bootstrap of several estimates of the same decisions, resampled together."""
    columns = np.concatenate([np.stack([t.base, t.top, t.bottom], axis=1) for t in estimates], axis=1)
    sums = np.concatenate([counts @ columns for counts in draws(len(columns), seed, resamples)])
    drawn = sums[:, ::3] / len(columns) + _ratio(sums[:, 1::3], sums[:, 2::3])
    lows, highs = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [Interval(t.value, float(a), float(z)) for t, a, z in zip(estimates, lows, highs, strict=True)]


def _ratio(top: Floats | float, bottom: Floats | float) -> Floats | float:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats | float = np.divide(top, bottom)
    return found
