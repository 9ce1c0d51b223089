"""Scores become probabilities: Platt, beta or isotonic, whichever has the least log loss on held-out later rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit, logit

from storewise.core.errors import DataError

Floats = npt.NDArray[np.float64]
EDGE = 1e-9
PARTS = 5
TILT = 1e-4  # share of the score itself in isotonic steps, so that scores of one step keep their order
LEAST_SLOPE = 1e-3
"""Every map rises everywhere: where held-out rows say nothing of a score, or the opposite, its order is still kept."""
PRIOR = 0.1  # pull of Platt's slope to 1 and of its shift to 0, as a Gaussian's precision


@dataclass(frozen=True)
class Map:
    """A rising map of scores. ``method``: identity, platt, beta or isotonic; ``numbers``: its parameters, or the
    (2, k) knots of the isotonic steps.

    >>> Map("platt", np.array([1.0, 0.0]))(np.array([0.25])).round(4).tolist()
    [0.25]
    """

    method: str
    numbers: Floats

    def __call__(self, scores: Floats) -> Floats:
        s = np.clip(scores, EDGE, 1.0 - EDGE)
        if self.method == "identity":
            return s
        if self.method == "isotonic":
            steps = np.interp(s, self.numbers[0], self.numbers[1])
            return np.asarray((1.0 - TILT) * steps + TILT * s, np.float64)
        a, *rest = self.numbers
        if self.method == "platt":
            return np.asarray(expit(a * logit(s) + rest[0]), np.float64)
        b, c = rest
        return np.asarray(expit(a * np.log(s) - b * np.log1p(-s) + c), np.float64)


def identity(scores: Floats, labels: Floats) -> Map:
    """Scores as they are."""
    return Map("identity", np.zeros(0))


def platt(scores: Floats, labels: Floats) -> Map:
    """``1 / (1 + e^-(a·logit s + b))``, a > 0 (Platt, 1999), with a weak prior towards the identity."""
    z = logit(np.clip(scores, EDGE, 1.0 - EDGE))
    found = _fit(
        np.stack([z, np.ones_like(z)]), labels, np.array([1.0, 0.0]), ((LEAST_SLOPE, None), (None, None))
    )
    return Map("platt", found)


def beta(scores: Floats, labels: Floats) -> Map:
    """``1 / (1 + e^-(a·ln s - b·ln(1 - s) + c))``, a, b > 0 (Kull, Silva Filho and Flach, 2017)."""
    s = np.clip(scores, EDGE, 1.0 - EDGE)
    inputs = np.stack([np.log(s), -np.log1p(-s), np.ones_like(s)])
    start, bounds = np.array([1.0, 1.0, 0.0]), ((LEAST_SLOPE, None), (LEAST_SLOPE, None), (None, None))
    return Map("beta", _fit(inputs, labels, start, bounds))


def isotonic(scores: Floats, labels: Floats) -> Map:
    """Rising steps of least squares (Zadrozny and Elkan, 2002); each step is shrunken by one row of the overall
    rate, so that none is 0 or 1, and between steps the value is interpolated."""
    s, at = np.unique(np.clip(scores, EDGE, 1.0 - EDGE), return_inverse=True)
    rows, events = np.bincount(at).astype(np.float64), np.bincount(at, labels)
    steps = isotonic_regression(events / rows, weights=rows)
    starts = np.asarray(steps.blocks)
    n, k = np.add.reduceat(rows, starts[:-1]), np.add.reduceat(events, starts[:-1])
    rate = (labels.sum() + 0.5) / (len(labels) + 1.0)
    values = np.asarray(isotonic_regression((k + rate) / (n + 1.0), weights=n + 1.0).x)
    ends = s[starts[1:] - 1]
    knots = np.stack([np.stack([s[starts[:-1]], ends], axis=1).ravel(), np.repeat(values, 2)])
    return Map("isotonic", np.clip(knots, EDGE, 1 - EDGE))


METHODS: Mapping[str, Callable[[Floats, Floats], Map]] = {
    "identity": identity,
    "platt": platt,
    "beta": beta,
    "isotonic": isotonic,
}


def losses_of(method: str, scores: Floats, labels: Floats, parts: int = PARTS) -> Floats:
    """(n,) log losses of a method, each part of the rows (contiguous: in time, when rows are) mapped by what the
    others taught."""
    part_of = (np.arange(len(labels)) * parts) // max(len(labels), 1)
    found = np.empty(len(labels))
    for part in range(parts):
        inside = part_of == part
        p = METHODS[method](scores[~inside], labels[~inside])(scores[inside])
        found[inside] = -(labels[inside] * np.log(p) + (1 - labels[inside]) * np.log1p(-p))
    return found


def best_map(scores: Floats, labels: Floats) -> tuple[Map, dict[str, float]]:
    """The map with the least cross-fitted log loss, learned again on all rows, and the loss of each method.

    Args:
        scores: (n,) of rows that the model did not learn from, oldest first.
        labels: (n,) 0 or 1.

    Raises:
        DataError: when the parts differ in length or a score is no probability.
    """
    if len(scores) != len(labels) or not np.isfinite(scores).all():
        raise DataError(
            f"{len(scores)} scores for {len(labels)} labels, {int((~np.isfinite(scores)).sum())} not finite.",
            next_step="Calibrate on one finite score a row.",
        )
    if min(labels.sum(), (1 - labels).sum()) < 2 * PARTS:
        return identity(scores, labels), {}
    losses = {method: float(losses_of(method, scores, labels).mean()) for method in METHODS}
    best = min(losses, key=lambda method: losses[method])
    return METHODS[best](scores, labels), losses


def _fit(
    inputs: Floats, labels: Floats, start: Floats, bounds: tuple[tuple[float | None, ...], ...]
) -> Floats:
    """Weights of (k, n) inputs that minimise the sum of log losses and the prior around ``start``."""

    def loss(weights: Floats) -> tuple[float, Floats]:
        z = weights @ inputs
        value = float(np.sum(np.logaddexp(0.0, z) - labels * z)) + 0.5 * PRIOR * float(
            ((weights - start) ** 2).sum()
        )
        return value, inputs @ (expit(z) - labels) + PRIOR * (weights - start)

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x, np.float64)
