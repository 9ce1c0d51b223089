from __future__ import annotations

import numpy as np
import pytest

from storewise.metrics import intervals


def bounds(found: intervals.Interval) -> tuple[float, float]:
    return found.low, found.high


def test_agrees_with_a_loop_over_the_same_draws() -> None:
    rng = np.random.default_rng(3)
    values = rng.random((40, 2))
    found = intervals.mean(values, seed=9, resamples=200)
    draws = np.random.default_rng(9).integers(0, 40, size=(200, 40))
    means = np.array([values[users].mean(axis=0) for users in draws])
    for column in range(2):
        low, high = np.quantile(means[:, column], [0.025, 0.975])
        assert found[column].value == pytest.approx(values[:, column].mean())
        assert (found[column].low, found[column].high) == pytest.approx((low, high))


def test_width_is_that_of_the_normal_interval() -> None:
    values = np.random.default_rng(4).normal(2.0, 3.0, size=(4000, 1))
    found = intervals.mean(values, seed=1)[0]
    expected = 2 * 1.96 * values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(expected, rel=0.1)
    assert found.low < found.value < found.high


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        found = intervals.mean(rng.exponential(1.0, size=(100, 1)), seed=trial, resamples=300)[0]
        covered += found.low <= 1.0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_same_seed_same_interval_whatever_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(6).random((50, 3))
    alone = intervals.mean(values[:, :1], seed=2)[0]
    assert bounds(intervals.mean(values, seed=2)[0]) == pytest.approx(bounds(alone), abs=1e-12)
    assert bounds(intervals.mean(values, seed=3)[0]) != pytest.approx(bounds(alone), abs=1e-12)
    monkeypatch.setattr(intervals, "CHUNK_CELLS", 70)  # other chunks, same draws
    assert bounds(intervals.mean(values[:, :1], seed=2)[0]) == pytest.approx(bounds(alone), abs=1e-12)


def test_ratio_of_sums_weighs_users_by_their_rows() -> None:
    squared = np.array([[8.0], [0.0]])  # two users: 8 over 2 ratings, 0 over 6
    found = intervals.ratio(squared, np.array([[2.0], [6.0]]), seed=1)[0]
    assert found.value == pytest.approx(1.0)
    assert (found.low, found.high) == (0.0, 4.0)  # all draws of the second user, all of the first


def test_pairs_see_a_difference_that_separate_intervals_hide() -> None:
    rng = np.random.default_rng(7)
    theirs = rng.random(300)
    ours = theirs + 0.01 + rng.normal(0, 0.01, 300)
    left, right = (intervals.mean(v[:, None], seed=1)[0] for v in (ours, theirs))
    assert left.touches(right)
    assert intervals.paired_difference(ours, theirs, seed=1).low > 0


def test_nan_users_are_left_out_and_nobody_is_nan() -> None:
    assert intervals.mean(np.array([[1.0], [np.nan], [1.0]]), seed=1)[0].value == 1.0
    assert np.isnan(intervals.mean(np.empty((0, 1)), seed=1)[0].value)


def test_pairs_of_different_users_are_refused() -> None:
    with pytest.raises(ValueError, match="same users"):
        intervals.paired_difference(np.ones(3), np.ones(4), seed=1)
