"""Tests for one look at a time that was fixed before: Welch, and two proportions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from storewise.explore.experiment.arm import Arm


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treated less control: ``difference`` with ``low`` and ``high``, and the two-sided ``p`` of no difference."""

    difference: float
    low: float
    high: float
    p: float


NOTHING = Comparison(float("nan"), float("nan"), float("nan"), 1.0)


def welch(control: Arm, treated: Arm, *, alpha: float = 0.05) -> Comparison:
    """Welch's t test (1947) of two means with unequal variances.

    >>> welch(Arm(50, 1.0, 0.01), Arm(50, 1.0, 0.02)).p
    1.0
    """
    if min(control.n, treated.n) < 2:
        return NOTHING
    difference, variance = treated.mean - control.mean, control.variance + treated.variance
    if variance == 0:
        return Comparison(difference, difference, difference, 1.0 if difference == 0 else 0.0)
    freedom = variance**2 / (control.variance**2 / (control.n - 1) + treated.variance**2 / (treated.n - 1))
    error = float(np.sqrt(variance))
    half = float(stats.t.ppf(1 - alpha / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, freedom))
    return Comparison(difference, difference - half, difference + half, p)


def proportions(
    control_hits: int, control_n: int, treated_hits: int, treated_n: int, *, alpha: float = 0.05
) -> Comparison:
    """The z test of two proportions with pooled variance; the interval is Newcombe's (1998, method 10: from two
    Wilson intervals), which also holds near 0 and 1.

    >>> round(proportions(100, 1000, 130, 1000).p, 4)
    0.0355
    """
    if min(control_n, treated_n) < 1:
        return NOTHING
    a, b = control_hits / control_n, treated_hits / treated_n
    pooled = (control_hits + treated_hits) / (control_n + treated_n)
    error = float(np.sqrt(pooled * (1 - pooled) * (1 / control_n + 1 / treated_n)))
    p = float(2 * stats.norm.sf(abs(b - a) / error)) if error > 0 else 1.0
    (la, ua), (lb, ub) = wilson(control_hits, control_n, alpha), wilson(treated_hits, treated_n, alpha)
    down, up = np.sqrt((b - lb) ** 2 + (ua - a) ** 2), np.sqrt((ub - b) ** 2 + (a - la) ** 2)
    return Comparison(b - a, float(b - a - down), float(b - a + up), p)


def wilson(hits: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """The score interval of a proportion (Wilson, 1927).

    >>> [round(bound, 4) for bound in wilson(1, 10)]
    [0.0179, 0.4042]
    """
    z = float(stats.norm.ppf(1 - alpha / 2))
    share, scale = hits / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / scale
    half = z / scale * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return centre - half, centre + half
