"""Distributions over slates against closed forms, enumeration and other quadratures."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import betainc, betaln
from scipy.stats import norm

from storewise.explore.orders.base import Mixture, Uniform
from storewise.explore.orders.drawn import Drawn
from storewise.explore.orders.independent import Independent
from storewise.explore.orders.scores import Betas, Normals
from storewise.explore.orders.sorted import Sorted


def beta_wins(a, b, c, d):
    """P(Beta(c, d) > Beta(a, b)) for whole c: the closed form of A/B tests."""
    return sum(
        np.exp(betaln(a + i, b + d) - np.log(d + i) - betaln(1 + i, d) - betaln(a, b)) for i in range(c)
    )


@pytest.mark.parametrize(
    ("a", "b", "c", "d"), [(3, 7, 4, 6), (1, 1, 1, 1), (40, 9000, 55, 12000), (2, 2, 90, 10)]
)
def test_two_betas_against_the_closed_form(a, b, c, d):
    order = Independent(Betas(np.array([a, c], float), np.array([b, d], float)), 1)
    assert order.row(1)[0] == pytest.approx(beta_wins(a, b, c, d), abs=1e-8)


def test_two_normals_against_the_closed_form():
    order = Independent(Normals(np.array([0.3, 0.1]), np.array([0.2, 0.5])), 1)
    assert order.row(0)[0] == pytest.approx(norm.cdf(0.2 / np.hypot(0.2, 0.5)), abs=1e-9)


def test_four_betas_against_adaptive_quadrature():
    a, b = np.array([0.5, 2.0, 30.0, 700.0]), np.array([0.5, 5.0, 70.0, 1300.0])
    order = Independent(Betas(a, b), 1)
    for arm in range(3):

        def inside(x, arm=arm):
            density = np.exp((a[arm] - 1) * np.log(x) + (b[arm] - 1) * np.log1p(-x) - betaln(a[arm], b[arm]))
            return density * np.prod([betainc(a[o], b[o], x) for o in range(4) if o != arm])

        expected, _ = quad(inside, 0, 1, points=[0.3, 0.33, 0.36, 0.4], limit=400, epsabs=1e-10)
        assert order.row(arm)[0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    "scores",
    [
        Betas(np.array([0.5, 2.0, 30.0, 1.0, 1.0]), np.array([0.5, 5.0, 70.0, 0.3, 1.0])),
        Betas(np.array([47.0, 8.0, 62.0, 900.0]), np.array([12198.0, 3566.0, 15993.0, 200000.0])),
        Normals(np.array([0.0, 0.0, 1.0, 2.0]), np.array([0.0, 0.0, 0.5, 3.0])),
    ],
)
def test_slates_sum_to_one_and_to_their_marginals(scores):
    order = Independent(scores, 3)
    found = np.zeros((order.m, 3))
    for slate in permutations(range(order.m), 3):
        found[list(slate), np.arange(3)] += order.probability(np.array(slate))
    np.testing.assert_allclose(found.sum(axis=0), 1.0, atol=1e-7)
    np.testing.assert_allclose(order.marginals, found, atol=1e-7)


def test_one_slate_of_exchangeable_arms():
    order = Independent(Normals(np.full(6, 2.0), np.full(6, 0.1)), 4)
    assert order.probability(np.array([5, 0, 3, 1])) == pytest.approx(1 / 360, abs=1e-10)


def test_sorted_with_ties_against_enumeration():
    scores = np.array([2.0, 5.0, 2.0, 2.0, 1.0])
    order = Sorted(scores, 3)
    expected = {(1, *rest): 1 / 6 for rest in permutations((0, 2, 3), 2)}
    for slate in permutations(range(5), 3):
        assert order.probability(np.array(slate)) == pytest.approx(expected.get(slate, 0.0))
    assert order.marginals[1].tolist() == [1, 0, 0]
    np.testing.assert_allclose(order.marginals[0], [0, 1 / 3, 1 / 3])


def test_a_mixture_against_its_parts():
    draws = np.random.default_rng(0).random((7, 4))
    parts = Uniform(4, 2), Drawn(draws, 2)
    order = Mixture(0.3, parts[1])
    np.testing.assert_allclose(order.marginals, 0.3 * parts[0].marginals + 0.7 * parts[1].marginals)
    total = sum(order.probability(np.array(slate)) for slate in permutations(range(4), 2))
    assert total == pytest.approx(1.0)


def test_the_best_of_many_are_those_of_a_full_sort():
    rng = np.random.default_rng(0)
    for draws in (rng.random((40, 60)), rng.integers(0, 4, (40, 60)).astype(float), np.zeros((3, 60))):
        order = Drawn(draws, 3)
        full = np.argsort(-draws, axis=1, kind="stable")[:, :3]
        expected = np.stack([(full == arm).mean(axis=0) for arm in range(60)])
        np.testing.assert_array_equal(order.marginals, expected)
