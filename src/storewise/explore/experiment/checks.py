"""Is the split what was planned, and does nothing else suffer: sample-ratio mismatch and guard rails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from storewise.explore.experiment.fixed import Comparison

MISMATCH = 0.0005  # below it the split is broken: small, because people look every day

GuardRail = Literal["safe", "open", "harmed"]


@dataclass(frozen=True, slots=True)
class Split:
    """``p`` of the planned shares given the counts, and whether that means that assignment or logging is broken."""

    p: float
    broken: bool


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> Split:
    """Pearson's chi-square test of the counts against the shares (Fabijan et al., 2019).

    A broken split means that people are lost or counted in one variant more than in the other; no metric can be
    trusted then.

    >>> sample_ratio({"a": 5000, "b": 5000}, {"a": 0.5, "b": 0.5})
    Split(p=1.0, broken=False)
    >>> sample_ratio({"a": 5300, "b": 4700}, {"a": 0.5, "b": 0.5}).broken
    True
    """
    seen = np.array([counts.get(name, 0) for name in shares], np.float64)
    planned = np.array(list(shares.values()))
    if not seen.sum():
        return Split(1.0, False)
    expected = seen.sum() * planned / planned.sum()
    p = float(stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(shares) - 1))
    return Split(p, p < MISMATCH)


def guard(comparison: Comparison, allowed: float) -> GuardRail:
    """Non-inferiority: ``safe`` when the interval is above −``allowed`` (the loss that would be tolerable, in the
    metric's units), ``harmed`` when it is below, else ``open``.

    >>> guard(Comparison(0.0, -0.01, 0.01, 1.0), 0.02), guard(Comparison(-0.1, -0.2, 0.0, 1.0), 0.02)
    ('safe', 'open')
    """
    if comparison.low > -allowed:
        return "safe"
    return "harmed" if comparison.high < -allowed else "open"
