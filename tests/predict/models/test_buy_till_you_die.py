"""BG/NBD against published figures, a closed form by hand and a simulation; Gamma-Gamma against an integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from storewise.predict.models.buy_till_you_die import BgNbd, GammaGamma

CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie and Lee (2005), table 2


def one(*values: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([float(value)]) for value in values)


@pytest.mark.parametrize(
    ("x", "t_x", "age", "weeks", "orders"),
    [(2, 30.43, 38.86, 39, 1.226), (26, 30.86, 31, 52, 25.76)],
)
def test_published_expectations(x, t_x, age, weeks, orders):
    """The authors' worked example, and the customer of the BTYD package's walkthrough."""
    assert CDNOW.expected_orders(*one(x, t_x, age), weeks=weeks)[0] == pytest.approx(orders, abs=0.005)


def test_likelihood_by_hand():
    """Formula (6) written out with gamma functions for one customer with two repeat orders."""
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    x, t_x, age = 2, 30.43, 38.86
    front = math.gamma(r + x) * alpha**r / math.gamma(r)
    alive = (
        math.gamma(a + b)
        * math.gamma(b + x)
        / (math.gamma(b) * math.gamma(a + b + x))
        / (alpha + age) ** (r + x)
    )
    gone = (
        math.gamma(a + b) * math.gamma(b + x) / (math.gamma(b) * math.gamma(a + b + x))
        * a / (b + x - 1) / (alpha + t_x) ** (r + x)
    )  # fmt: skip
    assert CDNOW.log_likelihood(*one(x, t_x, age))[0] == pytest.approx(math.log(front * (alive + gone)))


def test_alive_closed_form():
    odds = 0.793 / (2.426 + 26 - 1) * ((4.414 + 31) / (4.414 + 30.86)) ** (0.243 + 26)
    assert CDNOW.p_alive(*one(26, 30.86, 31))[0] == pytest.approx(1 / (1 + odds))
    assert CDNOW.p_alive(*one(0, 0, 50))[0] == 1.0  # whoever never came back cannot have left, in this model


def simulate(model: BgNbd, n: int, rng: np.random.Generator, until: float) -> tuple[np.ndarray, ...]:
    """Orders by the model's own story: (x, t_x, age) at ``until``, and orders in as long again after it."""
    rates = rng.gamma(model.r, 1 / model.alpha, n)
    leaves = rng.beta(model.a, model.b, n)
    x, t_x, later = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        at = 0.0
        while True:
            at += rng.exponential(1 / rates[i])
            if at > 2 * until:
                break
            if at <= until:
                x[i], t_x[i] = x[i] + 1, at
            else:
                later[i] += 1
            if rng.random() < leaves[i]:
                break
    return x, t_x, np.full(n, until), later


def test_fit_recovers_a_simulated_shop():
    truth = BgNbd(r=0.8, alpha=6.0, a=0.9, b=3.0)
    x, t_x, age, later = simulate(truth, 4_000, np.random.default_rng(3), 40.0)
    found = BgNbd.fit(x, t_x, age)
    assert found is not None
    assert found.r == pytest.approx(truth.r, rel=0.15)
    assert found.alpha == pytest.approx(truth.alpha, rel=0.2)
    expected = found.expected_orders(x, t_x, age, weeks=40.0)
    assert expected.mean() == pytest.approx(later.mean(), rel=0.1)
    returns = found.p_purchase(x, t_x, age, weeks=40.0)
    assert returns.mean() == pytest.approx((later > 0).mean(), abs=0.02)


def test_too_little_to_fit():
    assert BgNbd.fit(*(np.ones(5),) * 3) is None
    assert BgNbd.fit(np.zeros(50), np.zeros(50), np.ones(50)) is None


def test_gamma_gamma_is_the_posterior_mean():
    """E[p/ν | x, m] by integration over ν against the closed form."""
    model, x, m = GammaGamma(p=6.25, q=3.74, gamma=15.44), 3.0, 20.0
    posterior = stats.gamma(model.p * x + model.q, scale=1 / (model.gamma + x * m))
    wanted, _ = integrate.quad(lambda nu: model.p / nu * posterior.pdf(nu), 0, np.inf)
    assert model.expected_value(*one(x, m))[0] == pytest.approx(wanted, rel=1e-6)


def test_gamma_gamma_fit_recovers():
    rng = np.random.default_rng(0)
    p, q, gamma, n = 4.0, 4.0, 30.0, 3_000
    nu, x = rng.gamma(q, 1 / gamma, n), rng.integers(1, 8, n).astype(float)
    found = GammaGamma.fit(x, rng.gamma(p * x, 1 / (nu * x)))
    assert found is not None
    assert found.p * found.gamma / (found.q - 1) == pytest.approx(p * gamma / (q - 1), rel=0.05)
