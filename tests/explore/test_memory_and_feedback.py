"""What policies remember, and what a slate's rewards say of what was shown."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.explore.base import Context, Logged
from storewise.explore.feedback import FeedbackConfig, evidence
from storewise.explore.memory import Memory
from storewise.explore.thompson import (
    PositionThompson,
    PositionThompsonConfig,
    ThompsonBeta,
    ThompsonBetaConfig,
)


def test_fading_is_by_decision_and_not_by_update():
    once, twice = Memory(1, discount=0.9), Memory(1, discount=0.9)
    first, last = np.array([[5.0]]), np.array([[1.0]])
    for memory in (once, twice):
        memory.add(np.array([0]), first, decisions=3)
    once.add(np.array([0]), last, decisions=4)
    twice.add(np.array([1]), last, decisions=2)
    twice.add(np.array([0]), last, decisions=2)
    assert once.of(np.array([0]))[0, 0] == pytest.approx(5 * 0.9**4 + 1)
    assert twice.of(np.array([0]))[0, 0] == pytest.approx(5 * 0.9**4 + 1)


def test_a_window_forgets_whole_updates():
    memory = Memory(1, window=2)
    for value in (4.0, 2.0, 1.0):
        memory.add(np.array([0]), np.array([[value]]), decisions=1)
    assert memory.of(np.array([0])).tolist() == [[3.0]]


@pytest.mark.parametrize("settings", [{"discount": 0.99}, {"window": 10}])
def test_changed_tastes_are_noticed(settings):
    rng = np.random.default_rng(0)
    drifting, fixed = ThompsonBeta(ThompsonBetaConfig(**settings)), ThompsonBeta()
    for epoch, chances in enumerate(((0.6, 0.3), (0.2, 0.5))):
        for _ in range(60 if epoch == 0 else 20):
            arms = rng.integers(0, 2, 20)
            log = Logged.of(arms=arms, rewards=rng.random(20) < np.array(chances)[arms])
            drifting.update(log)
            fixed.update(log)
    shares = [policy.order(Context.of([0, 1])).marginals[1, 0] for policy in (drifting, fixed)]
    assert shares[0] > 0.95
    assert shares[1] < 0.5


def test_cascades_end_at_the_first_reward():
    log = Logged.of(arms=[[1, 2, 3], [4, 5, 6], [7, -1, 8]], rewards=[[0, 1, 1], [0, 0, 0], [1, 0, 0]])
    arms, rewards, weights = evidence(log, FeedbackConfig(feedback="cascade"))
    assert arms.tolist() == [1, 2, 4, 5, 6, 7]
    assert rewards.tolist() == [0, 1, 0, 0, 0, 1]
    assert (weights == 1).all()


def test_positions_correct_what_is_seldom_looked_at():
    rng = np.random.default_rng(1)
    looks, chances = np.array([1.0, 0.4]), np.array([0.2, 0.5])
    arms = np.tile([0, 1], (4_000, 1))
    clicks = (rng.random(arms.shape) < looks * chances[arms]).astype(float)
    policy = PositionThompson(PositionThompsonConfig(examination=(1.0, 0.4)))
    policy.update(Logged.of(arms=arms, rewards=clicks))
    np.testing.assert_allclose(policy.scores(Context.of([0, 1])), chances, atol=0.03)


def test_rewards_beyond_one_are_refused_by_beta():
    with pytest.raises(DataError, match="A reward is 3"):
        ThompsonBeta().update(Logged.of(arms=[0], rewards=[3]))
