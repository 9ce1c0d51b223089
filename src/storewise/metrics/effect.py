"""The effect of each arm of a randomised trial against its control, and whether the arms were alike before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from storewise.metrics.intervals import LEVEL, Interval

Values = npt.NDArray[np.float64]
NOTHING = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class ArmEffect:
    """``mean`` of the arm's outcome, its ``difference`` to the control and the two-sided p of no difference."""

    n: int
    mean: Interval
    difference: Interval
    p: float


def difference(
    outcome: Values, treated: npt.NDArray[np.bool_], *, weights: Values | None = None, level: float = LEVEL
) -> tuple[float, float, Interval]:
    """Means of the treated and of the others, and their difference with a normal interval (Welch's variance; with
    weights, of the weighted means).

    >>> ours, theirs, gap = difference(np.array([1.0, 1, 0, 0]), np.array([True, True, False, False]))
    >>> ours, theirs, gap.value
    (1.0, 0.0, 1.0)
    """
    one = np.ones(len(outcome)) if weights is None else weights
    (a, va), (b, vb) = (_moments(outcome[side], one[side]) for side in (treated, ~treated))
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(va + vb))
    return a, b, Interval(a - b, a - b - half, a - b + half)


def _moments(values: Values, weights: Values) -> tuple[float, float]:
    """The weighted mean and the variance of that mean (the usual one where the weights are equal)."""
    total, n = float(weights.sum()), len(values)
    if n < 1 or total <= 0:
        return float("nan"), float("nan")
    mean = float(weights @ values / total)
    spread = float(weights**2 @ (values - mean) ** 2) / total**2
    return mean, spread * n / (n - 1) if n > 1 else float("nan")


def arm_effects(
    outcome: Values,
    arms: npt.NDArray[np.int64],
    n_arms: int,
    *,
    weights: Values | None = None,
    level: float = LEVEL,
) -> list[ArmEffect]:
    """One effect for each arm; arm 0 is the control, whose own difference is NaN.

    >>> found = arm_effects(np.array([0.0, 1, 1, 1]), np.array([0, 0, 1, 1]), 2)
    >>> found[1].mean.value, found[1].difference.value
    (1.0, 0.5)
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    one = np.ones(len(outcome)) if weights is None else weights
    moments = [_moments(outcome[arms == arm], one[arms == arm]) for arm in range(n_arms)]
    found = []
    for arm, (mean, variance) in enumerate(moments):
        half = z * float(np.sqrt(variance))
        gap, p = NOTHING, float("nan")
        if arm:
            delta, error = mean - moments[0][0], float(np.sqrt(variance + moments[0][1]))
            gap = Interval(delta, delta - z * error, delta + z * error)
            p = float(2 * stats.norm.sf(abs(delta) / error)) if error > 0 else float("nan")
        found.append(ArmEffect(int((arms == arm).sum()), Interval(mean, mean - half, mean + half), gap, p))
    return found


def standardised_differences(columns: Values, arms: npt.NDArray[np.int64], n_arms: int) -> Values:
    """(n_arms, p) the mean of each column in an arm less that in the control, over the root of the mean of the
    two variances (Austin, 2009); NaN cells are left out. Below 0.1 counts as balanced.

    >>> standardised_differences(np.array([[0.0], [2.0], [1.0], [3.0]]), np.array([0, 0, 1, 1]), 2)[1].round(3).tolist()
    [0.707]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = [columns[arms == arm] for arm in range(n_arms)]
        means = np.stack([_nan_mean(part) for part in parts])
        variances = np.stack([_nan_variance(part) for part in parts])
        spread = np.sqrt((variances + variances[0]) / 2)
        gap = means - means[0]
        return np.asarray(np.where(spread > 0, gap / spread, np.where(gap == 0, 0.0, np.inf)))


def _nan_mean(part: Values) -> Values:
    kept = ~np.isnan(part)
    return np.asarray(np.where(kept, part, 0.0).sum(axis=0) / np.maximum(kept.sum(axis=0), 1))


def _nan_variance(part: Values) -> Values:
    kept = ~np.isnan(part)
    gaps = np.where(kept, part - _nan_mean(part), 0.0)
    return np.asarray((gaps**2).sum(axis=0) / np.maximum(kept.sum(axis=0) - 1, 1))
