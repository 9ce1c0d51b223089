"""λ of the estimators that trade bias for variance, by an estimate of the squared error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storewise.explore.evaluate.estimators import Estimator, Evidence
from storewise.explore.evaluate.terms import Terms

CANDIDATES = 12


def candidates(e: Evidence, estimator: str) -> tuple[float, ...]:
    """λ from no trade at all (∞) down: quantiles c of the weights above 0; for shrinkage (20 c)² down to c²."""
    positive = e.weights[e.weights > 0]
    if not len(positive):
        return (np.inf,)
    found = np.unique(np.quantile(positive, 1 - np.geomspace(1e-4, 0.5, CANDIDATES - 1)))[::-1]
    if estimator != "dr-os":
        return (np.inf, *(float(value) for value in found))
    return (np.inf, *(float((scale * value) ** 2) for scale, value in zip(
        np.geomspace(20, 1, len(found)), found, strict=True)))  # fmt: skip


def tune(e: Evidence, estimator: Estimator, limits: Sequence[float]) -> tuple[float, Terms]:
    """The λ with the smallest estimate of the mean squared error (in the manner of Su et al., 2020, section 5).

    With s_λ the standard error of the estimate, b_λ its difference to the unbiased one (λ = ∞) and s(b_λ) that
    difference's standard error, the estimate is

    - without a reward model s_λ² + max(b_λ² - s(b_λ)², 0): a difference that noise explains is no bias;
    - with one s_λ² + b_λ² + s(b_λ)²: what is not weighted comes from the model, whose own noise s_λ does not show;
      it is taken to be as large as the noise that was avoided. Little is traded then, and safely.

    Ties keep the less biased.

    >>> from storewise.explore.evaluate.estimators import clipped
    >>> weights, none = np.array([30.0, 30.0] + [0.9] * 198), np.zeros(200)
    >>> tune(Evidence(weights, np.tile([1.0, 0.0], 100), none, none, 50.0), clipped, (np.inf, 5.0, 0.1))[0]
    5.0
    """
    whole = estimator(e, np.inf)
    best: tuple[float, float, Terms] | None = None
    for limit in limits:
        terms = estimator(e, limit)
        apart = terms.influence - whole.influence
        error = float(apart.std(ddof=1)) / np.sqrt(len(apart)) if len(apart) > 1 else 0.0
        bias = float(apart.mean()) ** 2
        unknown = bias + error**2 if e.fitted.any() and terms.base.any() else max(bias - error**2, 0.0)
        squared = terms.standard_error() ** 2 + unknown
        if best is None or squared < best[0]:
            best = squared, limit, terms
    assert best is not None
    return best[1], best[2]
