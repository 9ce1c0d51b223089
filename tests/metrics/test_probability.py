"""Probability metrics against scikit-learn, a slow bootstrap, and the clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from storewise.metrics import curves, probability


def rows(seed: int, n: int = 500, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    labels = (rng.random(n) < p**2).astype(np.float64)
    labels[:2] = 0.0, 1.0
    return labels, np.round(p * levels) / levels if levels else p


@pytest.mark.parametrize("levels", [None, 7, 2])
@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn(seed, levels):
    labels, scores = rows(seed, levels=levels)
    assert probability.roc_auc(labels, scores) == pytest.approx(oracle.roc_auc_score(labels, scores))
    assert probability.average_precision(labels, scores) == pytest.approx(
        oracle.average_precision_score(labels, scores)
    )
    kept = np.clip(scores, 1e-15, 1 - 1e-15)
    assert probability.log_loss(labels, scores) == pytest.approx(oracle.log_loss(labels, kept))


def test_resamples_are_those_of_rows_drawn_one_by_one():
    """Weighted by counts or with rows repeated: the same figures."""
    labels, scores = rows(3, n=80, levels=9)
    rng = np.random.default_rng(1)
    ranked = probability._Ranked(labels, scores)
    for _ in range(20):
        drawn = rng.integers(0, 80, 80)
        counts = np.bincount(drawn, minlength=80).astype(np.float64)[None]
        assert probability._auc(ranked, counts)[0] == pytest.approx(
            oracle.roc_auc_score(labels[drawn], scores[drawn])
        )
        assert probability._average_precision(ranked, counts)[0] == pytest.approx(
            oracle.average_precision_score(labels[drawn], scores[drawn])
        )


def test_intervals_cover_the_truth():
    """Of 60 samples of a known law, about 95 % of the intervals hold its AUC."""
    rng, hits = np.random.default_rng(0), 0
    labels, scores = rows(99, n=200_000)
    truth = probability.roc_auc(labels, scores)
    for seed in range(60):
        drawn = rng.integers(0, len(labels), 300)
        found = probability.intervals(labels[drawn], scores[drawn], seed=seed, resamples=200)["auc"]
        hits += found.low <= truth <= found.high
    assert hits >= 52


def test_groups_widen_the_interval():
    """Each row ten times over is no more evidence when the ten are one group."""
    labels, scores = rows(4, n=200)
    many, groups = np.repeat(labels, 10), np.repeat(np.arange(200) * 7, 10)
    alone = probability.intervals(labels, scores, seed=1, resamples=300)["auc"]
    naive = probability.intervals(many, np.repeat(scores, 10), seed=1, resamples=300)["auc"]
    grouped = probability.intervals(many, np.repeat(scores, 10), seed=1, groups=groups, resamples=300)["auc"]
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=1e-6)
    assert naive.high - naive.low < 0.5 * (grouped.high - grouped.low)


def test_one_class_and_no_rows_are_unknown():
    found = probability.intervals(np.zeros(5), np.linspace(0.1, 0.5, 5), seed=1, resamples=20)
    assert np.isnan(found["auc"].value)
    assert np.isnan(found["pr_auc"].low)
    assert found["log_loss"].value > 0
    assert np.isnan(probability.roc_auc(np.zeros(0), np.zeros(0)))
    assert np.isnan(probability.ece(np.zeros(0), np.zeros(0)))
    assert curves.lift_curve(np.zeros(4), np.arange(4.0), seed=1) == []


def test_calibrated_probabilities_have_a_small_ece():
    rng = np.random.default_rng(2)
    p = rng.random(50_000)
    labels = (rng.random(50_000) < p).astype(np.float64)
    assert probability.ece(labels, p) < 0.015
    assert probability.ece(labels, p**2) > 0.1


@pytest.mark.parametrize("n", [200, 5000])
def test_every_figure_is_inside_its_interval(n):
    """The ECE of calibrated probabilities too, although noise adds to that of every resample."""
    rng = np.random.default_rng(7)
    p = rng.random(n)
    labels = (rng.random(n) < p).astype(np.float64)
    for found in probability.intervals(labels, p, seed=1, resamples=200).values():
        assert found.low <= found.value <= found.high


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30))
@settings(deadline=None, max_examples=60)
def test_auc_mirrors(rows_):
    """Scores turned around give 1 - AUC; a rising change of scores gives the same."""
    labels = np.array([float(a) for a, _ in rows_])
    scores = np.array([float(b) for _, b in rows_])
    auc = probability.roc_auc(labels, scores)
    if np.isnan(auc):
        assert labels.min() == labels.max()
        return
    assert probability.roc_auc(labels, -scores) == pytest.approx(1 - auc)
    assert probability.roc_auc(labels, np.exp(scores)) == pytest.approx(auc)


def test_curves():
    labels, scores = rows(5, n=3000)
    points = curves.calibration_curve(labels, scores)
    assert sum(point["rows"] for point in points) == 3000
    assert all(point["low"] <= point["happened"] <= point["high"] for point in points)
    lift = curves.lift_curve(labels, scores, seed=1, resamples=50)
    assert lift[-1]["lift"] == pytest.approx(1.0)
    assert lift[-1]["captured"] == pytest.approx(1.0)
    top = scores >= np.quantile(scores, 0.9)
    at_tenth = next(point for point in lift if point["share"] == 0.1)
    assert at_tenth["lift"] == pytest.approx(labels[top].mean() / labels.mean(), rel=0.02)
    flat = curves.lift_curve(np.sort(labels), np.zeros(3000), seed=1, resamples=20)
    assert all(point["lift"] == pytest.approx(1.0, abs=1e-6) for point in flat)


def test_wilson_is_that_of_the_formula_at_the_ends():
    assert curves.wilson(0, 10).low == 0.0
    assert curves.wilson(10, 10).high == 1.0
    assert curves.wilson(0, 0).high == 1.0
