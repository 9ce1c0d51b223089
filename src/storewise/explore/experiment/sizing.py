"""How many people a fixed-horizon test needs, and how sure it then is (Fleiss, Levin & Paik, 2003)."""

from __future__ import annotations

import math

from scipy import stats

from storewise.core.errors import ConfigError

ALPHA, POWER = 0.05, 0.8


def _check(alpha: float, power: float, ratio: float) -> None:
    if not (0 < alpha < 1 and 0 < power < 1 and ratio > 0):
        raise ConfigError(
            f"alpha is {alpha}, power {power}, ratio {ratio}.",
            next_step="Give alpha and power between 0 and 1, and a ratio above 0.",
        )


def sample_for_proportions(
    p: float, changed: float, *, alpha: float = ALPHA, power: float = POWER, ratio: float = 1.0
) -> int:
    """People in the control so that a two-sided test of two proportions finds ``p`` → ``changed``; the treated are
    ``ratio`` times as many.

    n = (z₁₋α/₂ √((1 + 1/r) p̄ q̄) + z_power √(p q + p′q′/r))² / (p − p′)², p̄ = (p + r p′) / (1 + r).

    Raises:
        ConfigError: for proportions outside 0 … 1, or equal ones.

    >>> sample_for_proportions(0.10, 0.12)
    3841
    """
    _check(alpha, power, ratio)
    if not (0 <= p <= 1 and 0 <= changed <= 1) or p == changed:
        raise ConfigError(
            f"The proportions are {p} and {changed}.", next_step="Give two different ones between 0 and 1."
        )
    pooled = (p + ratio * changed) / (1 + ratio)
    no_effect = math.sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    effect = math.sqrt(p * (1 - p) + changed * (1 - changed) / ratio)
    z = float(stats.norm.ppf(1 - alpha / 2)) * no_effect + float(stats.norm.ppf(power)) * effect
    return math.ceil(z**2 / (p - changed) ** 2)


def sample_for_means(
    difference: float, deviation: float, *, alpha: float = ALPHA, power: float = POWER, ratio: float = 1.0
) -> int:
    """People in the control so that a two-sided test of two means finds ``difference`` at a standard ``deviation``:
    (1 + 1/r) (z₁₋α/₂ + z_power)² σ² / δ². CUPED with correlation ρ needs 1 − ρ² of it.

    Raises:
        ConfigError: for a difference of 0 or a deviation that is not above 0.

    >>> sample_for_means(0.5, 1.0)
    63
    """
    _check(alpha, power, ratio)
    if difference == 0 or not deviation > 0:
        raise ConfigError(
            f"The difference is {difference}, the standard deviation {deviation}.",
            next_step="Give a difference that is not 0 and a deviation above 0.",
        )
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    return math.ceil((1 + 1 / ratio) * (z * deviation / difference) ** 2)


def power_for_proportions(
    p: float, changed: float, n: int, *, alpha: float = ALPHA, ratio: float = 1.0
) -> float:
    """The probability that n in the control and ratio · n treated show a difference of two proportions.

    >>> round(power_for_proportions(0.10, 0.12, 3841), 3)
    0.8
    """
    _check(alpha, POWER, ratio)
    pooled = (p + ratio * changed) / (1 + ratio)
    no_effect = math.sqrt((1 + 1 / ratio) * pooled * (1 - pooled) / n)
    effect = math.sqrt((p * (1 - p) + changed * (1 - changed) / ratio) / n)
    return _power(abs(p - changed), no_effect, effect, alpha)


def power_for_means(
    difference: float, deviation: float, n: int, *, alpha: float = ALPHA, ratio: float = 1.0
) -> float:
    """The probability that n in the control and ratio · n treated show a difference of two means.

    >>> round(power_for_means(0.5, 1.0, 63), 2)
    0.8
    """
    _check(alpha, POWER, ratio)
    error = deviation * math.sqrt((1 + 1 / ratio) / n)
    return _power(abs(difference), error, error, alpha)


def _power(difference: float, no_effect: float, effect: float, alpha: float) -> float:
    edge = float(stats.norm.ppf(1 - alpha / 2)) * no_effect
    if effect == 0:
        return float(difference > edge)
    return float(stats.norm.sf((edge - difference) / effect) + stats.norm.cdf((-edge - difference) / effect))
