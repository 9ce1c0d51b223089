"""Every registered policy keeps the policy's contract."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.core.registry import Registry
from storewise.explore import COMPONENTS
from storewise.explore.base import Context, Logged
from storewise.explore.orders.base import Uniform
from storewise.testing.policy import batch, check_policy, context

REGISTRY = Registry(COMPONENTS)
NAMES = REGISTRY.names("explore")


def test_how_many_there_are():
    assert len(NAMES) == 11


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1])
def test_contract(name, seed):
    check_policy(lambda: REGISTRY.create(name), seed)


@pytest.mark.parametrize("name", NAMES)
def test_fading_and_windows_keep_the_contract(name):
    for settings in ({"discount": 0.97}, {"window": 2}):
        kind = REGISTRY.get(name)
        check_policy(lambda kind=kind, settings=settings: kind(kind.Config(**settings)))


@pytest.mark.parametrize("name", NAMES)
def test_a_log_of_another_policy_warms_it_up(name):
    cold, warm, trusted = (REGISTRY.create(name) for _ in range(3))
    log = batch(5, decisions=3_000, places=1)
    warm.warm_start(log)
    trusted.warm_start(log, trust=1e-9)
    same = context(3)
    offered = Context.of(
        same.arms, features=np.zeros((4, 3)), values=np.full(4, 0.3), deviations=np.full(4, 0.1)
    )
    gained = warm.order(offered).marginals[3, 0] - cold.order(offered).marginals[3, 0]
    assert gained > 0.2
    if name not in (
        "explore.ucb1.v1",
        "explore.cascade_ucb.v1",
        "explore.epsilon_greedy.v1",
    ):  # have no prior
        np.testing.assert_allclose(trusted.scores(offered), cold.scores(offered), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_reward_is_refused(name):
    with pytest.raises(DataError, match="reward of decision 1, place 0, is nan"):
        REGISTRY.create(name).update(Logged.of(arms=[0, 1], rewards=[1, np.nan]))


@pytest.mark.parametrize("name", NAMES)
def test_one_arm_alone_is_certain(name):
    offered = context(arms=(6,))
    policy = REGISTRY.create(name)
    for _ in range(2):
        decision = policy.decide(offered, np.random.default_rng(0))
        assert decision.arms.tolist() == [6]
        np.testing.assert_allclose([*decision.propensities, decision.slate_propensity], 1.0, atol=1e-8)
        policy.update(Logged.of(arms=[6], rewards=[1.0], features=np.ones((1, 3))))


@pytest.mark.parametrize(
    ("arms", "places", "words"),
    [
        ([], 1, "1 places for 0 arms"),
        ([1], 2, "2 places for 1"),
        ([1, 1], 1, "twice"),
        ([-1, 2], 1, "below 0"),
    ],
)
def test_contexts_that_cannot_be_decided(arms, places, words):
    with pytest.raises(DataError, match=words):
        Context.of(arms, places=places)


def test_the_suite_notices_wrong_propensities():
    class Lying(REGISTRY.get("explore.thompson_beta.v1")):
        def order(self, context):
            real = super().order(context)

            class Other(Uniform):
                def sample(self, rng):
                    return real.sample(rng)

            return Other(real.m, real.k)

    with pytest.raises(AssertionError, match="draws of a slate"):
        check_policy(Lying)
