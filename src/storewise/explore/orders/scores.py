"""The posterior distributions that Thompson sampling draws from."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv, betaln, expit, logit, ndtr, ndtri

from storewise.explore.orders.base import Floats

FARTHEST = 700.0  # in log odds: as far as float64 goes


class Betas:
    """Beta(``a``, ``b``), (m,) each, on the scale of log odds, where the density is smooth also for a < 1.

    >>> Betas(np.array([2.0]), np.array([2.0])).below(np.array([0.0])).tolist()
    [[0.5]]
    """

    def __init__(self, a: Floats, b: Floats) -> None:
        self.a, self.b = a, b

    def sample(self, rng: np.random.Generator) -> Floats:
        found: Floats = rng.beta(self.a, self.b)
        return found

    def quantiles(self, level: float) -> Floats:
        with np.errstate(divide="ignore"):
            low = logit(betaincinv(self.a, self.b, level))
            high = -logit(betaincinv(self.b, self.a, 1 - level))  # near 1, where 1 - x must keep its digits
        found: Floats = np.clip(np.where(low < 0, low, high), -FARTHEST, FARTHEST)
        return found

    def densities(self, x: Floats) -> Floats:
        a, b = self.a[:, None], self.b[:, None]
        found: Floats = np.exp(-a * np.logaddexp(0, -x) - b * np.logaddexp(0, x) - betaln(a, b))
        return found

    def below(self, x: Floats) -> Floats:
        a, b = self.a[:, None], self.b[:, None]
        found: Floats = np.where(x < 0, betainc(a, b, expit(x)), 1 - betainc(b, a, expit(-x)))
        return found


class Normals:
    """N(``mean``, ``deviation``²), (m,) each.

    >>> Normals(np.zeros(1), np.ones(1)).quantiles(0.5).tolist()
    [0.0]
    """

    def __init__(self, mean: Floats, deviation: Floats) -> None:
        # Two arms whose scores are certain and equal must still be equally likely.
        self.mean, self.deviation = mean, np.maximum(deviation, 1e-9)

    def sample(self, rng: np.random.Generator) -> Floats:
        return rng.normal(self.mean, self.deviation)

    def quantiles(self, level: float) -> Floats:
        found: Floats = self.mean + self.deviation * ndtri(level)
        return found

    def densities(self, x: Floats) -> Floats:
        z = (x - self.mean[:, None]) / self.deviation[:, None]
        found: Floats = np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * self.deviation[:, None])
        return found

    def below(self, x: Floats) -> Floats:
        found: Floats = ndtr((x - self.mean[:, None]) / self.deviation[:, None])
        return found
