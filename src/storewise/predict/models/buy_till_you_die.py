"""BG/NBD and Gamma-Gamma: when a customer buys again, whether they are still there, and how much they spend.

BG/NBD (Fader, Hardie and Lee, 2005, "Counting your customers" the easy way, Marketing Science 24): while alive a
customer buys at rate λ ~ Gamma(r, α) and after each purchase leaves with probability p ~ Beta(a, b). Gamma-Gamma
(Fader and Hardie, 2013, note 025): the value of an order is Gamma(p, ν) with ν ~ Gamma(q, γ) between customers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

Floats = npt.NDArray[np.float64]
LOG_BOUNDS = (-9.0, 9.0)
LEAST_CUSTOMERS = 20
START = (0.5, 10.0, 1.0, 2.5)
UNIT_DAYS = 7.0  # time inside is in weeks, so that the parameters are of similar size


@dataclass(frozen=True)
class BgNbd:
    """The four parameters; times are in weeks.

    ``x`` (n,) repeat orders (the first one does not count), ``t_x`` (n,) weeks from the first to the last order,
    ``age`` (n,) weeks from the first order to now.

    >>> cdnow = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> one = np.array([2.0]), np.array([30.43]), np.array([38.86])
    >>> float(cdnow.expected_orders(*one, weeks=39.0)[0].round(3))
    1.226
    """

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, x: Floats, t_x: Floats, age: Floats, *, penalty: float = 0.0) -> BgNbd | None:
        """By maximum likelihood; None with fewer than 20 customers or no repeat order at all.

        ``penalty``: L2 on the logarithms of the parameters, times n.
        """
        if len(x) < LEAST_CUSTOMERS or not (x > 0).any():
            return None
        unique, counts = np.unique(np.stack([x, t_x, age], axis=1), axis=0, return_counts=True)
        columns = tuple(unique.T)

        def loss(logs: Floats) -> float:
            found = cls(*np.exp(logs))
            return float(
                -(counts @ found.log_likelihood(*columns)) / len(x) + penalty * float(np.square(logs).sum())
            )

        answer = minimize(loss, np.log(START), method="L-BFGS-B", bounds=[LOG_BOUNDS] * 4)
        return cls(*(float(value) for value in np.exp(answer.x)))

    def log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """(n,), formula (6) of the paper: ``A1 A2 (A3 + δ(x > 0) A4)``."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        front = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
        alive = -(r + x) * np.log(alpha + age)
        # B(a + 1, b + x − 1) / B(a, b + x) = a / (b + x − 1)
        gone = np.log(a) - np.log(np.maximum(b + x - 1, 1e-12)) - (r + x) * np.log(alpha + t_x)
        return np.asarray(front + np.where(x > 0, np.logaddexp(alive, gone), alive))

    def p_alive(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """(n,): ``1 / (1 + δ(x > 0) a/(b + x − 1) ((α + T)/(α + t_x))^(r + x))``."""
        odds = np.log(self.a) - np.log(np.maximum(self.b + x - 1, 1e-12))
        odds = odds + (self.r + x) * (np.log(self.alpha + age) - np.log(self.alpha + t_x))
        return np.asarray(np.where(x > 0, 1 / (1 + np.exp(np.minimum(odds, 700.0))), 1.0))

    def p_purchase(self, x: Floats, t_x: Floats, age: Floats, *, weeks: float) -> Floats:
        """(n,): at least one order within so many weeks, ``P(alive) (1 − ((α + T)/(α + T + t))^(r + x))``:
        whoever is alive leaves after a purchase only."""
        stays_away = ((self.alpha + age) / (self.alpha + age + weeks)) ** (self.r + x)
        return self.p_alive(x, t_x, age) * (1 - stays_away)

    def expected_orders(self, x: Floats, t_x: Floats, age: Floats, *, weeks: float) -> Floats:
        """(n,): formula (10), the orders expected within so many weeks."""
        r, alpha, b = self.r, self.alpha, self.b
        a = self.a if abs(self.a - 1) > 1e-4 else 1 + 1e-4  # the closed form has a removable gap at 1
        power = ((alpha + age) / (alpha + age + weeks)) ** (r + x)
        inner = 1 - power * hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + age + weeks))
        found = (a + b + x - 1) / (a - 1) * inner * self.p_alive(x, t_x, age)
        return np.asarray(np.maximum(found, 0.0))


@dataclass(frozen=True)
class GammaGamma:
    """``x`` (n,) ≥ 1 orders of mean value ``mean`` (n,) > 0.

    >>> spent = GammaGamma(p=6.25, q=3.74, gamma=15.44)
    >>> float(spent.expected_value(np.array([1.0]), np.array([35.0]))[0].round(2))
    35.07
    """

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, x: Floats, mean: Floats) -> GammaGamma | None:
        """By maximum likelihood over customers with a value above 0; None with fewer than 20 of them.

        ``q`` stays above 1, where the mean of the population exists.
        """
        kept = (x > 0) & (mean > 0)
        if kept.sum() < LEAST_CUSTOMERS:
            return None
        scale = float(np.median(mean[kept]))
        count, value = x[kept], mean[kept] / scale

        def loss(logs: Floats) -> float:
            return -float(cls._of(logs).log_likelihood(count, value).mean())

        answer = minimize(loss, np.array([0.5, 0.5, 0.5]), method="L-BFGS-B", bounds=[LOG_BOUNDS] * 3)
        found = cls._of(answer.x)
        return cls(found.p, found.q, found.gamma * scale)

    @classmethod
    def _of(cls, logs: Floats) -> GammaGamma:
        return cls(float(np.exp(logs[0])), 1.0 + float(np.exp(logs[1])), float(np.exp(logs[2])))

    def log_likelihood(self, x: Floats, mean: Floats) -> Floats:
        """(n,): formula (1a) of the note."""
        p, q, gamma = self.p, self.q, self.gamma
        return np.asarray(
            gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
            + (p * x - 1) * np.log(mean) + p * x * np.log(x) - (p * x + q) * np.log(gamma + mean * x)
        )  # fmt: skip

    def expected_value(self, x: Floats, mean: Floats) -> Floats:
        """(n,): the value of a further order, ``p (γ + x m) / (p x + q − 1)``: between the customer's own mean
        and everybody's."""
        return self.p * (self.gamma + x * mean) / (self.p * x + self.q - 1)
