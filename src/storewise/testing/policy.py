"""The contract of bandit policies, as a suite that a plug-in's own tests can call.

>>> from storewise.explore.epsilon_greedy import EpsilonGreedy
>>> check_policy(EpsilonGreedy)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from storewise.explore.base import Context, Logged, Policy

Make = Callable[[], Policy[Any]]
ARMS, WIDTH, DRAWS = 4, 3, 4_000


def batch(seed: int = 0, *, decisions: int = 60, places: int = 2) -> Logged:
    """Slates of four arms with features, rewards of 0 and 1, and one place left empty."""
    rng = np.random.default_rng(seed)
    arms = np.array([rng.permutation(ARMS)[:places] for _ in range(decisions)], np.int64).reshape(-1, places)
    if decisions:
        arms[0, -1] = -1
    features = rng.normal(size=(decisions, places, WIDTH)) / 2
    rewards = (rng.random(arms.shape) < 0.2 + 0.15 * arms).astype(float)
    return Logged.of(arms=arms, rewards=rewards, features=features)


def context(seed: int = 1, *, places: int = 1, arms: tuple[int, ...] = (0, 1, 2, 3)) -> Context:
    """Some arms with features, chances and their standard errors."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(len(arms), WIDTH)) / 2
    values = rng.uniform(0.1, 0.4, len(arms))
    return Context.of(arms, features=features, places=places, values=values, deviations=values / 3)


def check_policy(make: Make, seed: int = 0) -> None:
    """Run every check below.

    Raises:
        AssertionError: naming the broken promise.
    """
    policy = make()
    for stage in ("fresh", "taught"):
        for places in (1, 2):
            check_probabilities(policy, context(seed, places=places), stage)
        check_decision(policy, context(seed, places=2), seed)
        if stage == "fresh":
            policy.update(batch(seed))
    check_frequencies(policy, context(seed, places=2), seed)
    check_choices(policy, seed)
    check_round_trip(make, policy, seed)
    check_batches(make, seed)


def check_probabilities(policy: Policy[Any], offered: Context, stage: str) -> None:
    """Each place's propensities sum to 1, and so do those of all slates; marginals agree with slates."""
    order = policy.order(offered)
    assert order.marginals.shape == (len(offered), offered.places), f"{stage}: marginals of another shape"
    np.testing.assert_allclose(
        order.marginals.sum(axis=0), 1.0, atol=1e-6, err_msg=f"{stage}: sum of a place"
    )
    assert (order.marginals >= 0).all(), f"{stage}: a propensity below 0"
    assert (order.marginals.sum(axis=1) <= 1 + 1e-6).all(), f"{stage}: an arm is likelier than certain"
    found = np.zeros_like(order.marginals)
    for slate in permutations(range(len(offered)), offered.places):
        chance = order.probability(np.array(slate))
        found[list(slate), np.arange(offered.places)] += chance
    np.testing.assert_allclose(
        found, order.marginals, atol=1e-6, err_msg=f"{stage}: slates against marginals"
    )


def check_decision(policy: Policy[Any], offered: Context, seed: int) -> None:
    """A decision holds offered arms, each once, with propensities above 0, and depends on the generator alone."""
    decision, again = (policy.decide(offered, np.random.default_rng(seed)) for _ in range(2))
    assert set(decision.arms) <= set(offered.arms), "an arm that was not offered"
    assert len(set(decision.arms)) == offered.places, "an arm twice, or too few"
    assert np.array_equal(decision.arms, again.arms), "the same generator decides differently"
    assert (decision.propensities > 0).all(), "what was shown has propensity 0"
    assert 0 < decision.slate_propensity <= decision.propensities.min() + 1e-9, (
        "the slate is likelier than a part"
    )
    assert (decision.inclusions >= decision.propensities - 1e-9).all(), "anywhere is rarer than at one place"
    assert decision.scores.shape == (len(offered),), "one score an arm"
    assert np.isfinite(decision.scores).all(), "a score is not finite"


def check_frequencies(policy: Policy[Any], offered: Context, seed: int) -> None:
    """The propensities are the frequencies of many draws, within 5 standard errors."""
    order, rng = policy.order(offered), np.random.default_rng(seed)
    counts = np.zeros_like(order.marginals)
    for _ in range(DRAWS):
        counts[order.sample(rng), np.arange(offered.places)] += 1
    _near(counts / DRAWS, order.marginals, "draws of a slate")


def check_choices(policy: Policy[Any], seed: int) -> None:
    """``choices`` draws from the same distribution as ``decide``."""
    offered = context(seed)
    plain = Context.of(offered.arms, features=offered.features)
    rng = np.random.default_rng(seed + 1)
    chosen = policy.choices(plain.arms, np.repeat(plain.features[None], DRAWS, axis=0), rng)
    counts = (chosen[:, None] == plain.arms).mean(axis=0)
    _near(counts, policy.order(plain).marginals[:, 0], "choices")


def check_round_trip(make: Make, policy: Policy[Any], seed: int) -> None:
    """State is plain arrays, and a restored policy decides the same, also after the next update."""
    state = policy.state()
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state.values()), "state is not arrays"
    again, twin = make(), make()
    for other in (again, twin):
        other.restore({name: array.copy() for name, array in state.items()})
    for other in (again, twin):
        for places in (1, 2):
            one, two = (
                p.decide(context(seed, places=places), np.random.default_rng(seed)) for p in (twin, other)
            )
            assert np.array_equal(one.arms, two.arms), "restored decides differently"
            assert np.array_equal(one.propensities, two.propensities), "restored has other propensities"
    ours = policy.order(context(seed)).marginals
    np.testing.assert_array_equal(again.order(context(seed)).marginals, ours, err_msg="restored differs")


def check_batches(make: Make, seed: int) -> None:
    """The order within a batch does not matter; an empty batch changes nothing; new arms are met at any time."""
    log = batch(seed)
    mixed = log.part(np.random.default_rng(seed + 2).permutation(len(log)))
    one, two = make(), make()
    one.update(log)
    two.update(mixed)
    before = one.order(context(seed)).marginals
    np.testing.assert_allclose(
        two.order(context(seed)).marginals, before, atol=1e-9, err_msg="order of a batch"
    )
    one.update(batch(decisions=0))
    np.testing.assert_array_equal(
        one.order(context(seed)).marginals, before, err_msg="an empty batch teaches"
    )
    unseen = context(seed, arms=(2, 40, 7))
    one.decide(unseen, np.random.default_rng(seed))
    check_probabilities(one, unseen, "unseen arms")


def _near(shares: np.ndarray, chances: np.ndarray, what: str) -> None:
    error = 5 * np.sqrt(chances * (1 - chances) / DRAWS) + 1e-9
    assert (np.abs(shares - chances) <= error).all(), f"{what}: shares {shares} against {chances}"
