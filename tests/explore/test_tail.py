"""A ranked list whose last places explore."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.explore.base import Logged
from storewise.explore.slate_thompson import SlateThompson, SlateThompsonConfig
from storewise.explore.tail import explore_tail

VALUES = np.array([0.30, 0.25, 0.2, 0.1, 0.08, 0.05])
ITEMS = np.array([90, 14, 37, 25, 61, 8])


def tail(seed=0, policy=None, *, n=4, places=2, items=ITEMS, values=VALUES):
    chosen = policy or SlateThompson()
    rng = np.random.default_rng(seed)
    return explore_tail(chosen, items, values=values, deviations=values / 4, n=n, places=places, rng=rng)


def test_propensities_are_the_frequencies_of_what_is_served():
    served = [tail(seed) for seed in range(2_500)]
    slates = Counter(tuple(one.items.tolist()) for one in served)
    told = {tuple(one.items.tolist()): one.slate_propensity for one in served}
    for slate, count in slates.items():
        error = 5 * np.sqrt(told[slate] * (1 - told[slate]) / len(served))
        assert abs(count / len(served) - told[slate]) < error
    third = {int(one.items[2]): one.propensities[2] for one in served}
    shares = Counter(int(one.items[2]) for one in served)
    assert sum(third.values()) == pytest.approx(1.0)
    for item, chance in third.items():
        assert shares[item] / len(served) == pytest.approx(chance, abs=5 * np.sqrt(chance / len(served)))


def test_every_candidate_has_a_chance():
    hopeless = np.where(np.arange(6) == 5, 1e-6, VALUES)
    policy = SlateThompson(SlateThompsonConfig(epsilon=0.1))
    served = [tail(seed, policy, values=hopeless) for seed in range(1_000)]
    chances = [one.propensities[one.items == 8][0] for one in served if 8 in one.items]
    assert chances
    assert min(chances) >= 0.1 / 4


def test_an_item_that_the_log_speaks_for_moves_up():
    policy = SlateThompson()
    before = np.mean([8 in tail(seed, policy).items for seed in range(300)])
    policy.update(Logged.of(arms=np.full(400, 8), rewards=np.tile([1, 0], 200)))
    after = np.mean([8 in tail(seed, policy).items for seed in range(300)])
    assert before < 0.3
    assert after > 0.8


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.integers(0, 8), st.integers(0, 8), st.integers(0, 10))
def test_the_head_stays_and_nothing_stands_twice(m, n, places, seed):
    if places > n:
        with pytest.raises(DataError, match="places of a list of"):
            tail(seed, n=n, places=places)
        return
    found = tail(seed, n=n, places=places, items=ITEMS[:m], values=VALUES[:m])
    head = min(n - places, m)
    assert found.items[:head].tolist() == ITEMS[:head].tolist()
    assert len(found.items) == min(n, m) == len(set(found.items.tolist()))
    assert (found.propensities[:head] == 1).all()
    assert (found.propensities > 0).all()
    assert (found.propensities <= found.inclusions + 1e-12).all()
    assert 0 < found.slate_propensity <= found.propensities.min(initial=1.0) + 1e-12


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(DataError, match=r"chance of a candidate is 2\.5"):
        tail(values=np.array([1, 1, 1, 2.5, 1, 1]))


def test_only_the_pool_is_explored():
    found = [
        explore_tail(
            SlateThompson(), ITEMS, values=VALUES, n=2, places=1, pool=2, rng=np.random.default_rng(seed)
        ).items[1]
        for seed in range(200)
    ]
    assert set(found) == {14, 37}
