"""Uplift figures against a slow reference, and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.metrics.uplift import Ranked, Trial, best, by_share, curve, figures


def slow_qini(scores: np.ndarray, outcome: np.ndarray, treated: np.ndarray) -> float:
    """Person by person, with people of one score let in together."""
    xs, qs = [0.0], [0.0]
    for score in sorted(set(scores.tolist()), reverse=True):
        first = [i for i in range(len(scores)) if scores[i] >= score]
        t = [i for i in first if treated[i]]
        c = [i for i in first if not treated[i]]
        theirs = sum(outcome[i] for i in c) * (len(t) / len(c)) if c else 0.0
        xs.append(len(first) / len(scores))
        qs.append((sum(outcome[i] for i in t) - theirs) / max(sum(treated), 1))
    area = sum((xs[i + 1] - xs[i]) * (qs[i + 1] + qs[i]) / 2 for i in range(len(xs) - 1))
    return float(area - qs[-1] / 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.booleans()), min_size=1, max_size=30))
def test_the_area_is_that_of_the_slow_reference(people: list[tuple[int, int, bool]]) -> None:
    scores, outcome, treated = (np.array(column) for column in zip(*people, strict=True))
    found = Ranked(scores.astype(float), Trial(outcome.astype(float), treated)).qini()[0]
    assert found == pytest.approx(slow_qini(scores, outcome, treated), abs=1e-12)


def population(n: int = 4000) -> tuple[np.ndarray, Trial]:
    """Half can be persuaded (they buy when treated, and only then), the other half never buys."""
    persuadable = np.arange(n) % 2 == 0
    treated = (np.arange(n) // 2) % 2 == 0
    return persuadable, Trial((persuadable & treated).astype(float), treated)


def test_a_perfect_model_has_the_area_of_the_triangle() -> None:
    persuadable, trial = population()
    made = figures(persuadable.astype(float), trial, seed=1, resamples=50)
    # the curve rises to 1/2 at x = 1/2 and stays: 1/8 + 1/4 − 1/4
    assert made["qini"].value == pytest.approx(0.125)
    assert made["auuc"].value == pytest.approx(0.375)
    assert made["auuc_gain"].value == pytest.approx(0.125)
    assert figures(-persuadable.astype(float), trial, seed=1, resamples=50)["qini"].value == pytest.approx(
        -0.125
    )


def test_the_best_order_has_coefficient_one_and_nothing_beats_it() -> None:
    rng = np.random.default_rng(3)
    trial = Trial((rng.random(500) < 0.3).astype(float), rng.random(500) < 0.5)
    assert figures(best(trial), trial, seed=1, resamples=20)["qini_coefficient"].value == pytest.approx(1.0)
    for _ in range(20):
        assert Ranked(rng.random(500), trial).qini()[0] <= Ranked(best(trial), trial).qini()[0]


def test_a_constant_score_is_exactly_random() -> None:
    _, trial = population()
    made = figures(np.zeros(len(trial.outcome)), trial, seed=1, resamples=50)
    assert (made["qini"].value, made["qini"].low, made["qini"].high) == pytest.approx((0.0, 0.0, 0.0))


def test_the_interval_of_a_random_score_holds_zero_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(100):
        treated = rng.random(600) < 0.4
        outcome = (rng.random(600) < 0.2 + 0.1 * treated).astype(float)
        made = figures(rng.random(600), Trial(outcome, treated), seed=seed, resamples=200)["qini"]
        held += made.low <= 0 <= made.high
    assert 88 <= held <= 100


def test_weights_undo_a_treatment_share_that_goes_with_the_outcome() -> None:
    rng = np.random.default_rng(7)
    n = 40_000
    rich = rng.random(n) < 0.5
    share = np.where(rich, 0.8, 0.2)
    treated = rng.random(n) < share
    outcome = (rng.random(n) < np.where(rich, 0.5, 0.1)).astype(float)  # the treatment does nothing
    plain = Ranked(np.zeros(n), Trial(outcome, treated)).curves()[2][0, -1]
    weights = np.where(treated, 1 / share, 1 / (1 - share))
    weighted = Ranked(np.zeros(n), Trial(outcome, treated, weights)).curves()[2][0, -1]
    assert abs(plain) > 0.15
    assert abs(weighted) < 0.015


def test_curve_and_tenths() -> None:
    persuadable, trial = population()
    drawn = curve(persuadable.astype(float), trial, seed=1, resamples=20)
    assert drawn[0]["value"] == 0
    assert drawn[50]["value"] == pytest.approx(0.5)
    assert drawn[50]["random"] == pytest.approx(0.25)
    assert all(point["low"] <= point["value"] + 1e-9 <= point["high"] + 2e-9 for point in drawn)
    tenths = by_share(persuadable.astype(float), trial)
    assert [row["uplift"] for row in tenths] == [1.0] * 5 + [0.0] * 5
    assert sum(row["n"] for row in tenths) == len(trial.outcome)


def test_without_anybody_there_is_no_figure() -> None:
    nothing = np.empty(0)
    assert np.isnan(figures(nothing, Trial(nothing, nothing.astype(bool)), seed=1)["qini"].value)
