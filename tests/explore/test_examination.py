"""Examination probabilities against a known truth, and against direct maximisation of the likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from storewise.core.errors import DataError
from storewise.explore.base import Logged
from storewise.explore.examination import estimate_examination

LOOKS, LIKES = np.array([1.0, 0.55, 0.3]), np.array([0.3, 0.1, 0.6, 0.45])


def simulated(n=4_000, seed=0):
    """Better arms stand higher more often: click rates by place alone would mislead."""
    rng = np.random.default_rng(seed)
    arms = np.argsort(-(LIKES + rng.normal(0, 0.25, (n, 4))), axis=1)[:, :3]
    return Logged.of(arms=arms, rewards=rng.random((n, 3)) < LIKES[arms] * LOOKS)


def test_looks_are_told_from_likes():
    log = simulated(20_000)
    found = estimate_examination(log)
    np.testing.assert_allclose(found.places, LOOKS, atol=0.03)
    np.testing.assert_allclose(found.attractions, LIKES, atol=0.03)
    by_place = log.rewards.mean(axis=0)
    assert by_place[2] / by_place[0] < LOOKS[2] - 0.03


def test_em_is_the_maximum_of_the_likelihood():
    log = simulated(3_000, 1)
    places = np.broadcast_to(np.arange(3), log.arms.shape)

    def loss(theta):
        looks, likes = np.concatenate([[1.0], theta[:2]]), theta[2:]
        p = looks[places] * likes[log.arms]
        return -np.where(log.rewards > 0, np.log(p), np.log1p(-p)).sum()

    best = minimize(loss, np.full(6, 0.4), bounds=[(1e-3, 1 - 1e-3)] * 6)
    found = estimate_examination(log, rounds=5_000)
    np.testing.assert_allclose(found.places[1:], best.x[:2], atol=5e-3)
    np.testing.assert_allclose(found.attractions, best.x[2:], atol=5e-3)


@pytest.mark.parametrize(
    ("arms", "rewards", "words"),
    [
        ([[0, 1]], [[0, 0]], "no click"),
        ([[0, 1], [0, 1]], [[1, 0], [0, 1]], "always stood at the same place"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "no rows"),
    ],
)
def test_logs_that_cannot_tell(arms, rewards, words):
    with pytest.raises(DataError, match=words):
        estimate_examination(Logged.of(arms=arms, rewards=rewards))
