"""Slate estimators against exact expectations over all slates, in worlds where their assumptions hold or fail."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.explore.evaluate.slates import SLATE_ESTIMATORS, SlateEvidence, place_model, pseudo_weights
from storewise.explore.orders.independent import Independent
from storewise.explore.orders.scores import Normals

M, K = 4, 2
SLATES = np.array(list(permutations(range(M), K)))
UNBIASED = ["slate ips", "independent ips", "cascade ips", "pseudoinverse"]


def policy(means):
    return Independent(Normals(np.array(means), np.ones(M)), K)


LOGGING, TARGET = policy([0.0, 0.3, 0.1, -0.2]), policy([1.0, -0.5, 0.2, 0.4])


def chances(order):
    return np.array([order.probability(slate) for slate in SLATES])


P, Q = chances(LOGGING), chances(TARGET)


def evidence():
    """Every slate once; rewards are set by the worlds below."""
    places = np.arange(K)
    ratio = TARGET.marginals / LOGGING.marginals
    first = np.array([Q[SLATES[:, 0] == a].sum() / P[SLATES[:, 0] == a].sum() for a in range(M)])
    prefixes = np.stack([first[SLATES[:, 0]], Q / P], axis=1)
    pseudo = pseudo_weights(SLATES, SLATES, P, TARGET.marginals)
    return Q / P, ratio[SLATES, places], prefixes, pseudo


def world(kind):
    attraction = np.array([0.6, 0.2, 0.4, 0.5])
    rewards = attraction[SLATES] * np.array([1.0, 0.6])
    if kind == "cascade":
        rewards[:, 1] *= 1 - attraction[SLATES[:, 0]]
    if kind == "any":
        rewards[:, 0] *= 1 - 0.8 * attraction[SLATES[:, 1]]
        rewards[:, 1] *= 1 - attraction[SLATES[:, 0]]
    return rewards


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        ("independent", {"slate ips", "independent ips", "cascade ips", "pseudoinverse"}),
        ("cascade", {"slate ips", "cascade ips"}),
        ("any", {"slate ips"}),
    ],
)
def test_each_estimator_is_right_where_its_assumption_holds(kind, right):
    rewards = world(kind)
    truth = float(Q @ rewards.sum(axis=1))
    slate, places, prefixes, pseudo = evidence()
    e = SlateEvidence(rewards, slate, places, prefixes, pseudo)
    for name in UNBIASED:
        expected = float(P @ SLATE_ESTIMATORS[name](e).top)
        if name in right:
            assert expected == pytest.approx(truth, abs=1e-6), name
        else:
            assert abs(expected - truth) > 1e-3, name


def test_pseudoinverse_of_independent_places_has_a_closed_form():
    both = np.array([[a, b] for a in range(2) for b in range(2)])
    log, aim = np.array([[0.3, 0.7], [0.5, 0.5]]), np.array([[0.8, 0.2], [0.1, 0.9]])  # place, arm
    chance = log[0][both[:, 0]] * log[1][both[:, 1]]
    weights = pseudo_weights(both, both, chance, aim.T)
    expected = 1 + sum(aim[j][both[:, j]] / log[j][both[:, j]] - 1 for j in range(2))
    np.testing.assert_allclose(weights, expected, atol=1e-9)


def conditional():
    """The target's chance of each arm at each place, given what stands above."""
    first = np.array([Q[SLATES[:, 0] == a].sum() for a in range(M)])
    found = np.zeros((len(SLATES), K, M))
    found[:, 0] = first / first.sum()
    for row, slate in enumerate(SLATES):
        for other, chance in zip(SLATES, Q, strict=True):
            if other[0] == slate[0]:
                found[row, 1, other[1]] = chance / first[slate[0]]
    return found


def test_cascade_doubly_robust_is_unbiased_whatever_the_model():
    rewards, q = world("cascade"), np.random.default_rng(0).random((K, M))
    slate, places, prefixes, _ = evidence()
    fitted, expected = q[np.arange(K), SLATES], (conditional() * q).sum(axis=2)
    e = SlateEvidence(rewards, slate, places, prefixes, None, fitted, expected)
    found = float(P @ SLATE_ESTIMATORS["cascade dr"](e).top)
    assert found == pytest.approx(float(Q @ rewards.sum(axis=1)), abs=1e-6)


def test_a_model_of_places_makes_it_steadier():
    rng = np.random.default_rng(0)
    rows = rng.choice(len(SLATES), 6_000, p=P / P.sum())
    rewards = (rng.random((6_000, K)) < world("cascade")[rows]).astype(float)
    model = place_model(SLATES[rows], rewards, conditional()[rows], rng=rng)
    e = SlateEvidence(rewards, *(part[rows] for part in evidence()), *model)
    errors = {name: SLATE_ESTIMATORS[name](e).standard_error() for name in ("cascade dr", "cascade ips")}
    assert errors["cascade dr"] < errors["cascade ips"]


@pytest.mark.parametrize("name", [name for name in SLATE_ESTIMATORS if name != "cascade dr"])
def test_a_log_of_many_slates_finds_the_truth(name):
    rng = np.random.default_rng(0)
    rows = rng.choice(len(SLATES), 6_000, p=P / P.sum())
    rewards = (rng.random((6_000, K)) < world("independent")[rows]).astype(float)
    truth = float(Q @ world("independent").sum(axis=1))
    terms = SLATE_ESTIMATORS[name](SlateEvidence(rewards, *(part[rows] for part in evidence())))
    assert abs(terms.value - truth) < 4 * terms.standard_error()
    assert terms.bernstein().low < truth < terms.bernstein().high


def test_what_the_log_does_not_tell_is_said():
    with pytest.raises(DataError, match="does not tell the slate weights"):
        SLATE_ESTIMATORS["slate ips"](SlateEvidence(np.zeros((3, 2)), places=np.ones((3, 2))))
    with pytest.raises(DataError, match="weight of the places is not finite"):
        SlateEvidence(np.zeros((1, 2)), places=np.array([[np.inf, 1.0]]))
