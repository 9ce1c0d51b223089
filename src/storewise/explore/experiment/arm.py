"""What a test needs of one variant and one metric: people, mean, and the variance of that mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arm:
    """``n`` people, their ``mean`` and its ``variance`` (of the mean; NaN for fewer than two people)."""

    n: int
    mean: float
    variance: float


def of_values(values: Values) -> Arm:
    """Of one value a person.

    >>> of_values(np.array([1.0, 3.0]))
    Arm(n=2, mean=2.0, variance=1.0)
    """
    n = len(values)
    if n == 0:
        return Arm(0, float("nan"), float("nan"))
    return Arm(n, float(values.mean()), float(values.var(ddof=1) / n) if n > 1 else float("nan"))


def of_ratio(numerators: Values, denominators: Values) -> Arm:
    """Of a ratio of sums over people who have several rows each, such as clicks over lists seen, by the delta
    method (Deng, Knoblich & Lu, 2018): var(R) = var(y − R x) / (n x̄²). The person is what was assigned, so that
    the person and not the row is what varies.

    >>> of_ratio(np.array([1.0, 1.0]), np.array([2.0, 2.0])).mean
    0.5
    """
    n, total = len(numerators), float(denominators.sum())
    if n == 0 or total <= 0:
        return Arm(n, float("nan"), float("nan"))
    ratio = float(numerators.sum()) / total
    gaps = numerators - ratio * denominators
    return Arm(n, ratio, float(gaps.var(ddof=1) / n / (total / n) ** 2) if n > 1 else float("nan"))


def cuped(values: list[Values], before: list[Values]) -> tuple[list[Arm], float, float]:
    """CUPED (Deng, Xu, Kohavi & Walker, 2013): each variant's mean of y − θ (x − x̄), x the same person's value
    before the experiment, θ = cov(x, y) / var(x) pooled within variants, x̄ over all.

    Returns the arms, θ and ρ; the variance falls by 1 − ρ². A constant x changes nothing. As x is from before the
    assignment, it cannot carry an effect and the difference stays unbiased.

    >>> arms, theta, rho = cuped([np.array([1.0, 2.0, 3.0])], [np.array([2.0, 4.0, 6.0])])
    >>> theta, round(rho, 6), arms[0].variance
    (0.5, 1.0, 0.0)
    """
    within = [(y - y.mean(), x - x.mean()) for y, x in zip(values, before, strict=True) if len(y)]
    sxx = sum(float(x @ x) for _, x in within)
    syy = sum(float(y @ y) for y, _ in within)
    sxy = sum(float(x @ y) for y, x in within)
    if sxx <= 0 or syy <= 0:
        return [of_values(one) for one in values], 0.0, 0.0
    theta, centre = sxy / sxx, float(np.concatenate(before).mean())
    arms = [of_values(y - theta * (x - centre)) for y, x in zip(values, before, strict=True)]
    return arms, theta, sxy / float(np.sqrt(sxx * syy))
