"""Always-valid tests: look as often as you like and stop when you like, and still be wrong at most α of the time.

The mixture sequential probability ratio test (Robbins, 1970; Johari, Pekelis & Walsh, 2015) with a normal mixture,
as the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021). With d the
difference of two means, V the estimated variance of d, n people in both arms and the mixture's ρ² in units of the
variance of one person::

    Λ_n = (1 + n ρ²)^(−1/2) · exp( d²/V · n ρ² / (2 (1 + n ρ²)) )       p_n = min over k ≤ n of 1 / Λ_k
    d ± √( V · (1 + n ρ²) / (n ρ²) · ln((1 + n ρ²) / α²) )              holds for all n at once

ρ² = (−2 ln α + ln(−2 ln α) + 1) / n* makes the interval about tightest at n* people, which are
fixed before.
"""

from __future__ import annotations

import math

from storewise.core.errors import ConfigError
from storewise.explore.experiment.arm import Arm
from storewise.explore.experiment.fixed import NOTHING, Comparison

ALPHA = 0.05
PLANNED = 10_000
LEAST = 50  # people in each arm before the first conclusion: the normal approximation has to hold by then
MOST = 10**9


def mixture(planned: int, alpha: float = ALPHA) -> float:
    """ρ² of the mixture for which the interval is tightest at ``planned`` people.

    Raises:
        ConfigError: for fewer than one person, or an alpha outside 0 … 1.

    >>> round(mixture(1000), 5)
    0.00878
    """
    if planned < 1 or not 0 < alpha < 1:
        raise ConfigError(
            f"{planned} people are planned, alpha is {alpha}.",
            next_step="Plan at least one person, and an alpha between 0 and 1.",
        )
    twice = -2 * math.log(alpha)
    return (twice + math.log(twice) + 1) / planned


def always_valid(
    control: Arm, treated: Arm, *, alpha: float = ALPHA, planned: int = PLANNED, least: int = LEAST
) -> Comparison:
    """The comparison as of now. ``p`` is 1 / Λ; a caller that looked before keeps the smallest one.

    Fewer than ``least`` people in an arm, or no variance yet: the interval is everything and p is 1.

    >>> found = always_valid(Arm(500, 0.1, 0.0002), Arm(500, 0.1, 0.0002))
    >>> found.p, round(found.high, 3)
    (1.0, 0.075)
    """
    if min(control.n, treated.n) < least:
        return NOTHING
    difference, variance = treated.mean - control.mean, control.variance + treated.variance
    if not variance > 0:
        return Comparison(difference, -math.inf, math.inf, 1.0)
    scaled = (control.n + treated.n) * mixture(planned, alpha)
    half = math.sqrt(variance) * multiplier(scaled, alpha)
    log_ratio = difference**2 / variance * scaled / (2 * (1 + scaled)) - math.log1p(scaled) / 2
    return Comparison(
        difference, difference - half, difference + half, min(1.0, math.exp(min(-log_ratio, 0.0)))
    )


def multiplier(scaled: float, alpha: float) -> float:
    """Half the interval's width in standard errors, for n ρ² = ``scaled``; a fixed-horizon test has 1.96."""
    return math.sqrt((1 + scaled) / scaled * math.log((1 + scaled) / alpha**2))


def people_needed(
    control: Arm, treated: Arm, effect: float, *, alpha: float = ALPHA, planned: int = PLANNED
) -> int | None:
    """People in both arms at which an effect of this size, at the variance seen so far, would leave 0 outside the
    interval; None when that can't be said.

    >>> n = people_needed(Arm(500, 0.1, 0.09 / 500), Arm(500, 0.12, 0.1056 / 500), 0.02)
    >>> n > 2 * 3841   # more than the fixed-horizon test needs, because it may stop at any time
    True
    """
    n = control.n + treated.n
    variance = control.variance + treated.variance
    if effect == 0 or not variance > 0 or not math.isfinite(effect):
        return None
    rho, one = mixture(planned, alpha), variance * n

    def shown(people: int) -> bool:
        return abs(effect) > math.sqrt(one / people) * multiplier(people * rho, alpha)

    low, high = 1, 2
    while not shown(high):
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
