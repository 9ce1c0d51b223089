"""Estimators against enumeration of a small bandit, closed forms, and an independent implementation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.explore.evaluate import estimators
from storewise.explore.evaluate.estimators import ESTIMATORS, Evidence
from storewise.explore.evaluate.log import BanditLog, Target
from storewise.explore.evaluate.overlap import overlap
from storewise.explore.evaluate.reward_model import cross_fit
from storewise.explore.evaluate.terms import Terms
from storewise.explore.evaluate.tuning import candidates, tune
from storewise.explore.evaluate.value import estimates, evidence

CHANCE = np.array([0.3, 0.7])  # of two contexts
LOGGING = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
TARGET = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
MEANS = np.array([[0.2, 0.6, 0.5], [0.9, 0.1, 0.4]])
TRUTH = float(CHANCE @ (TARGET * MEANS).sum(axis=1))
WRONG = np.array([[0.5, 0.1, 0.3], [0.2, 0.7, 0.9]])  # a reward model that is far off


def every_outcome(q=WRONG):
    """All (context, action, reward) with their probabilities, as evidence: exact expectations by enumeration."""
    rows, chances = [], []
    for x, a, r in product(range(2), range(3), (0, 1)):
        chances.append(CHANCE[x] * LOGGING[x, a] * (MEANS[x, a] if r else 1 - MEANS[x, a]))
        rows.append((TARGET[x, a] / LOGGING[x, a], r, q[x, a], TARGET[x] @ q[x]))
    weights, rewards, fitted, direct = np.array(rows, float).T
    return Evidence(weights, rewards, fitted, direct, 8.0), np.array(chances)


def expectation(terms: Terms, chances):
    return float(chances @ (terms.base + terms.top / 1.0))


@pytest.mark.parametrize("name", ["ips", "dr", "switch-dr", "dr-os", "clipped ips"])
def test_unbiased_without_a_limit_whatever_the_model(name):
    e, chances = every_outcome()
    assert expectation(ESTIMATORS[name](e, np.inf), chances) == pytest.approx(TRUTH)


@pytest.mark.parametrize("name", ["dm", "dr", "switch-dr", "dr-os"])
@pytest.mark.parametrize("limit", [0.5, 2.0])
def test_unbiased_with_the_right_model_whatever_the_limit(name, limit):
    e, chances = every_outcome(MEANS)
    assert expectation(ESTIMATORS[name](e, limit), chances) == pytest.approx(
        TRUTH, abs=1e-9 if name != "dm" else 1
    )
    assert float(chances @ e.direct) == pytest.approx(TRUTH)


def test_bias_of_clipping_and_switching_in_closed_form():
    e, chances = every_outcome()
    w = TARGET / LOGGING
    lost = float(CHANCE @ ((TARGET - LOGGING * np.minimum(w, 2.0)) * MEANS).sum(axis=1))
    assert expectation(estimators.clipped(e, 2.0), chances) == pytest.approx(TRUTH - lost)
    wrong = float(CHANCE @ (TARGET * (w > 2.0) * (WRONG - MEANS)).sum(axis=1))
    assert expectation(estimators.switch(e, 2.0), chances) == pytest.approx(TRUTH + wrong)


def test_shrinkage_goes_from_the_direct_method_to_doubly_robust():
    e, _ = every_outcome()
    assert estimators.optimistic_shrinkage(e, 1e-12).value == pytest.approx(estimators.direct_method(e).value)
    assert estimators.optimistic_shrinkage(e, 1e12).value == pytest.approx(estimators.doubly_robust(e).value)


def simulated(n=4_000, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.random(n) < CHANCE[1]).astype(int)
    actions = (rng.random(n)[:, None] > LOGGING[x].cumsum(axis=1)).sum(axis=1)
    rewards = (rng.random(n) < MEANS[x, actions]).astype(float)
    log = BanditLog.of(actions, rewards, LOGGING[x, actions], contexts=x[:, None].astype(float), n_actions=3)
    return log, Target.by_row(TARGET[x], log)


@pytest.mark.parametrize("model", ["means", "ridge", "logistic"])
def test_all_estimators_find_the_truth_of_a_log(model):
    e = evidence(*simulated(), model=model)
    for one in estimates(e, seed=1, resamples=300):
        assert one.bootstrap.low <= one.value <= one.bootstrap.high
        assert one.bernstein.low <= one.bootstrap.low + 0.02
        if one.name != "dm" or model == "ridge":  # the direct method is as wrong as its model
            assert one.bernstein.low <= TRUTH <= one.bernstein.high
            assert abs(one.value - TRUTH) < 0.09


def test_a_good_model_makes_doubly_robust_steadier_than_ips():
    e = evidence(*simulated(), model="ridge")
    errors = {name: ESTIMATORS[name](e).standard_error() for name in ("ips", "snips", "dr")}
    assert errors["dr"] < errors["snips"] < errors["ips"]


def test_the_policy_that_made_the_log_is_worth_its_mean_reward():
    log, _ = simulated(500)
    uniform = BanditLog.of(log.actions, log.rewards, np.full(500, 1 / 3))
    e = evidence(uniform, Target.by_place(np.full((1, 3), 1 / 3), uniform))
    for name in ("ips", "snips"):
        assert ESTIMATORS[name](e).value == pytest.approx(log.rewards.mean())
    assert e.effective == pytest.approx(500)


def test_influence_of_a_ratio_gives_the_error_of_the_delta_method():
    rng = np.random.default_rng(0)
    w, r = rng.exponential(size=2_000), rng.random(2_000)
    terms = Terms(np.zeros(2_000), w * r, w, span=1.0)
    assert terms.influence.mean() == pytest.approx(terms.value)
    resampled = terms.bootstrap(seed=0, resamples=2_000)
    assert resampled.high - resampled.low == pytest.approx(terms.normal().high - terms.normal().low, rel=0.08)


def test_bernstein_in_closed_form():
    terms = Terms(np.zeros(4), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4), span=2.0)
    log = np.log(4 / 0.05)
    half = np.sqrt(2 * (1 / 3) * log / 4) + 7 * 2.0 * log / (3 * 3)
    assert terms.bernstein().high - 0.5 == pytest.approx(half)
    assert terms.bernstein(level=0.5).high < terms.bernstein().high


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 1_000))
def test_values_stay_within_what_the_log_allows(n, seed):
    rng = np.random.default_rng(seed)
    actions = rng.integers(0, 3, n)
    log = BanditLog.of(actions, rng.random(n) < 0.5, rng.uniform(0.1, 1, n), n_actions=3)
    table = rng.dirichlet(np.ones(3))[None]
    e = evidence(log, Target.by_place(table, log), seed=seed)
    assert 0 <= e.effective <= n + 1e-9
    assert e.weights.max() <= e.largest + 1e-9
    snips = estimators.snips(e).value
    assert log.rewards.min() - 1e-9 <= snips <= log.rewards.max() + 1e-9
    limit, _ = tune(e, estimators.clipped, candidates(e, "clipped ips"))
    assert limit > 0


def test_cross_fitting_never_sees_its_own_row():
    rewards = np.zeros(30)
    rewards[7] = 1.0
    log = BanditLog.of(np.arange(30) % 3, rewards, np.full(30, 1 / 3))
    target = Target.by_place(np.full((1, 3), 1 / 3), log)
    for kind in ("means", "ridge", "logistic"):
        fitted, _ = cross_fit(log, target, kind=kind, rng=np.random.default_rng(0))
        assert fitted[7] < 1e-6 or fitted[7] < np.median(fitted[log.actions == log.actions[7]]) + 1e-9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"propensities": [0.5, 0.0, 0.5]}, r"Row 1: the propensity is 0\.0"),
        ({"propensities": [0.5, 0.5, np.nan]}, "Row 2: the propensity is missing"),
        (
            {"propensities": [1.5, 0.5, 0.5]},
            r"Row 0: the propensity is 1\.5; it must be above 0 and at most 1",
        ),
        ({"rewards": [0, np.nan, 1]}, "Row 1: the reward is missing"),
        ({"actions": [], "rewards": [], "propensities": []}, "The log has no rows"),
        ({"rewards": [1.0]}, "1 rewards for 3 decisions"),
    ],
)
def test_logs_that_cannot_be_used(change, words):
    parts = {"actions": [0, 1, 0], "rewards": [0, 1, 0], "propensities": [0.5, 0.5, 0.5]} | change
    with pytest.raises(DataError, match=words):
        BanditLog.of(**parts)


def test_a_policy_that_is_no_distribution_is_refused():
    log = BanditLog.of([0, 1], [0, 1], [0.5, 0.5])
    with pytest.raises(DataError, match="sum of the policy's probabilities is 0.8"):
        Target.by_place(np.array([[0.3, 0.5]]), log)
    with pytest.raises(DataError, match="3 actions, the log 2"):
        Target.by_place(np.array([[0.3, 0.5, 0.2]]), log)


def test_wrong_propensities_and_thin_logs_are_noticed():
    log, target = simulated(2_000)
    assert overlap(log, target).warnings == ()
    doubled = BanditLog.of(log.actions, log.rewards, np.minimum(1, 2 * log.propensities), n_actions=3)
    assert any("standard errors from 1" in line for line in overlap(doubled, target).warnings)
    few = log.part(np.arange(20))
    assert any(
        "below 100" in line for line in overlap(few, Target.by_row(TARGET[:1].repeat(20, 0), few)).warnings
    )


def test_one_action_and_one_row():
    log = BanditLog.of([0], [1.0], [1.0])
    e = evidence(log, Target.by_place(np.ones((1, 1)), log))
    found = {one.name: one.value for one in estimates(e, resamples=50)}
    assert found["ips"] == found["snips"] == 1.0


def test_against_obp():
    ope = pytest.importorskip(
        "obp.ope",
        reason="obp needs an older Python: pip install --no-deps --ignore-requires-python obp==0.5.7 pandas seaborn matplotlib",
    )
    log, target = simulated(1_000)
    e = evidence(log, target)
    dist = target.table[target.rows][:, :, None]
    given = {"reward": log.rewards, "action": log.actions, "pscore": log.propensities, "action_dist": dist}
    ips = ope.InverseProbabilityWeighting().estimate_policy_value(**given)
    snips = ope.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**given)
    assert estimators.ips(e).value == pytest.approx(ips)
    assert estimators.snips(e).value == pytest.approx(snips)
