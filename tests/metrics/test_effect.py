"""Effects of arms against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from storewise.metrics.effect import arm_effects, difference, standardised_differences


def test_the_difference_is_welchs() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 2, 900), rng.normal(0.8, 1, 400)
    outcome, arms = np.concatenate([b, a]), np.repeat([0, 1], [400, 900])
    found = arm_effects(outcome, arms, 2)[1]
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found.difference.value == pytest.approx(a.mean() - b.mean())
    assert (found.difference.low, found.difference.high) == pytest.approx((welch.low, welch.high), abs=1e-3)
    assert found.p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, abs=2e-3)


def test_equal_weights_change_nothing() -> None:
    rng = np.random.default_rng(2)
    outcome, side = rng.random(50), rng.random(50) < 0.5
    plain, weighted = difference(outcome, side), difference(outcome, side, weights=np.full(50, 3.0))
    assert plain[2].as_dict() == pytest.approx(weighted[2].as_dict())


def test_one_person_has_no_interval_and_an_empty_arm_no_mean() -> None:
    found = arm_effects(np.array([1.0, 0.0]), np.array([0, 1]), 3)
    assert np.isnan(found[1].difference.low)
    assert np.isnan(found[2].mean.value)
    assert found[2].n == 0


def test_standardised_differences_by_hand_and_with_gaps() -> None:
    columns = np.array([[0.0, 1.0], [2.0, 1.0], [np.nan, 1.0], [1.0, 1.0], [3.0, 1.0]])
    found = standardised_differences(columns, np.array([0, 0, 0, 1, 1]), 2)
    assert found[1].tolist() == pytest.approx([1 / np.sqrt(2), 0.0])
    assert found[0].tolist() == [0.0, 0.0]
