"""What single uplift models are, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.rng import spawn
from storewise.metrics.uplift import Ranked, Trial
from storewise.predict.base import Rows
from storewise.predict.uplift.base import Campaign, UpliftConfig, UpliftModel
from storewise.predict.uplift.class_transformation import ClassTransformation
from storewise.predict.uplift.propensity import estimated
from storewise.predict.uplift.s_learner import SLearner
from storewise.predict.uplift.two_model import TwoModel
from storewise.predict.uplift.x_learner import XLearner
from storewise.testing.uplift import small_campaign

CELLS = [TwoModel, XLearner, ClassTransformation]


def cells(share: float, *, amounts: bool = False, n: int = 20_000) -> tuple[Campaign, np.ndarray]:
    """Two groups of people and the difference of means in each, which a free model must reproduce."""
    rng = np.random.default_rng(4)
    group = rng.integers(0, 2, n)
    treated = rng.random(n) < share
    outcome = (rng.random(n) < 0.1 + 0.3 * group + 0.2 * treated * group).astype(float)
    if amounts:
        outcome = outcome * 10.0 + 1.0
    rows = Rows.of(numbers=group[:, None], number_names=("group",))
    truth = [outcome[treated & (group == g)].mean() - outcome[~treated & (group == g)].mean() for g in (0, 1)]
    return Campaign(rows, outcome, treated.astype(np.int64), 2), np.array(truth)


@pytest.mark.parametrize("model", CELLS)
@pytest.mark.parametrize("share", [0.5, 0.2])
def test_effects_of_two_groups_are_the_differences_of_their_means(
    model: type[UpliftModel], share: float
) -> None:
    data, truth = cells(share)
    found = model(UpliftConfig(l2=1e-6))
    found.train(data, rng=spawn(1, "x"))
    two = Rows.of(numbers=[[0.0], [1.0]], number_names=("group",))
    # transformed outcomes are right on average over who is treated, the other two exactly
    tolerance = 0.03 if model is ClassTransformation else 1e-3
    assert found.effects(two)[:, 0] == pytest.approx(truth, abs=tolerance)


@pytest.mark.parametrize("model", CELLS)
def test_effects_on_amounts(model: type[UpliftModel]) -> None:
    data, truth = cells(0.3, amounts=True)
    found = model(UpliftConfig(l2=1e-6))
    found.train(data, rng=spawn(1, "x"))
    two = Rows.of(numbers=[[0.0], [1.0]], number_names=("group",))
    assert found.effects(two)[:, 0] == pytest.approx(truth, abs=0.3)


def test_a_linear_s_learner_has_one_log_odds_for_all() -> None:
    data = small_campaign()
    model = SLearner()
    model.train(data, rng=spawn(1, "x"))
    part = model._arms[0]["outcome"]
    odds = [np.log(p / (1 - p)) for p in (part.predict(_as(data.rows, value)) for value in (0.0, 1.0))]
    assert np.ptp(odds[1] - odds[0]) < 1e-6


def _as(rows: Rows, treated: float) -> Rows:
    numbers = np.concatenate([np.full((len(rows), 1), treated), rows.numbers], axis=1)
    return Rows.of(numbers=numbers, number_names=("t", *rows.number_names), categories=rows.categories,
                   category_names=rows.category_names, sizes=rows.sizes)  # fmt: skip


@pytest.mark.parametrize("model", [*CELLS, SLearner])
def test_trees_find_who_can_be_persuaded(model: type[UpliftModel]) -> None:
    data, test = small_campaign(), small_campaign(seed=9)
    found = model(UpliftConfig(base="trees"))
    found.train(data, rng=spawn(1, "x"))
    area = Ranked(found.effects(test.rows)[:, 0], Trial(test.outcomes, test.arms == 1)).qini()[0]
    assert area > 0.01  # of at most 0.025


def test_estimated_propensities_are_those_that_were_used() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=8000)
    truth = 1 / (1 + np.exp(-x))
    arms = (rng.random(8000) < truth).astype(np.int64)
    found = estimated(Rows.of(numbers=x[:, None], number_names=("x",)), arms, 2)
    assert np.abs(found[:, 1] - truth).mean() < 0.02
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_known_propensities_undo_confounding() -> None:
    """Treatment goes to those who would buy anyway; it does nothing."""
    rng = np.random.default_rng(6)
    x = rng.integers(0, 2, 20_000)
    share = np.where(x, 0.8, 0.2)
    arms = (rng.random(20_000) < share).astype(np.int64)
    outcome = (rng.random(20_000) < np.where(x, 0.6, 0.1)).astype(float)
    blank = Rows.of(numbers=np.zeros((20_000, 1)), number_names=("nothing",))  # the model can't see x
    told = Campaign(blank, outcome, arms, 2, np.stack([1 - share, share], axis=1))
    for kind, most in ((TwoModel, 0.02), (ClassTransformation, 0.03)):
        for data, right in ((told, True), (Campaign(blank, outcome, arms, 2), False)):
            model = kind()
            model.train(data, rng=spawn(1, "x"))
            assert (abs(model.effects(blank).mean()) < most) == right
