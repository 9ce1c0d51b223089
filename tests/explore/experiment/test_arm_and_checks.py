"""CUPED, ratios, the split and guard rails."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.explore.experiment.arm import cuped, of_ratio, of_values
from storewise.explore.experiment.checks import guard, sample_ratio
from storewise.explore.experiment.fixed import NOTHING, Comparison


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_cuped_takes_away_rho_squared_of_the_variance(rho: float) -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(5, 2, 20_000)
    after = rho * (before - 5) / 2 + np.sqrt(1 - rho**2) * rng.normal(size=20_000) + 3
    halves = [after[:10_000], after[10_000:]]
    arms, theta, found = cuped(halves, [before[:10_000], before[10_000:]])
    assert found == pytest.approx(rho, abs=0.02)
    assert theta == pytest.approx(rho / 2, abs=0.01)
    for arm, plain in zip(arms, map(of_values, halves), strict=True):
        assert arm.variance / plain.variance == pytest.approx(1 - rho**2, abs=0.03)


def test_cuped_leaves_the_effect_where_it_is() -> None:
    rng = np.random.default_rng(2)
    gaps = []
    for _ in range(400):
        before = rng.normal(size=400)
        after = before + rng.normal(size=400) + np.repeat([0.0, 0.5], 200)
        arms, _, _ = cuped([after[:200], after[200:]], [before[:200], before[200:]])
        gaps.append(arms[1].mean - arms[0].mean)
    assert np.mean(gaps) == pytest.approx(0.5, abs=4 * np.std(gaps) / 20)
    assert np.std(gaps) == pytest.approx(np.sqrt(arms[0].variance + arms[1].variance), rel=0.15)


def test_nothing_before_changes_nothing() -> None:
    values = [np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0])]
    arms, theta, _ = cuped(values, [np.zeros(3), np.zeros(2)])
    assert arms == [of_values(one) for one in values]
    assert theta == 0
    assert cuped([np.empty(0), values[0]], [np.empty(0), np.zeros(3)])[0][0].n == 0


def test_the_variance_of_a_ratio_is_the_bootstraps() -> None:
    rng = np.random.default_rng(3)
    seen = rng.geometric(0.2, 800).astype(float)
    clicked = rng.binomial(seen.astype(int), rng.beta(1, 9, 800)).astype(float)
    found = of_ratio(clicked, seen)
    draws = rng.integers(0, 800, (4000, 800))
    drawn = clicked[draws].sum(axis=1) / seen[draws].sum(axis=1)
    assert found.variance == pytest.approx(drawn.var(), rel=0.1)
    rows = found.mean * (1 - found.mean) / seen.sum()  # as if rows were independent: too small
    assert found.variance > 1.2 * rows


def test_a_ratio_of_ones_is_a_mean() -> None:
    values = np.random.default_rng(4).random(50)
    ratio, mean = of_ratio(values, np.ones(50)), of_values(values)
    assert (ratio.mean, ratio.variance) == pytest.approx((mean.mean, mean.variance))
    assert np.isnan(of_ratio(np.zeros(3), np.zeros(3)).mean)


def test_the_split_is_called_broken_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(5)
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    counts = rng.multinomial(5000, list(shares.values()), size=2000)
    p = np.array([sample_ratio(dict(zip(shares, row, strict=True)), shares).p for row in counts.tolist()])
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.015)
    assert (p < 0.0005).mean() < 0.003
    assert sample_ratio({}, shares).broken is False
    assert sample_ratio({"a": 100}, {"a": 0.5, "b": 0.5}).broken


def test_guard_rails() -> None:
    assert guard(Comparison(0, -0.01, 0.01, 1), 0.02) == "safe"
    assert guard(Comparison(-0.05, -0.06, -0.04, 0), 0.02) == "harmed"
    assert guard(Comparison(-0.02, -0.05, 0.01, 1), 0.02) == "open"
    assert guard(NOTHING, 0.02) == "open"
