"""Calibration: against scikit-learn, and its intervals against known probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import beta as beta_law
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from storewise.core.errors import DataError
from storewise.metrics.probability import ece, log_loss
from storewise.predict import calibrated, calibration
from storewise.predict.base import MISSING, Labelled, Rows
from storewise.predict.calibrated import Calibrated, Calibration, clopper_pearson
from storewise.predict.calibration import best_map
from storewise.predict.models.rate import Rate


def drawn(seed: int, n: int = 4000, *, base: float = -1.0, slope: float = 1.0) -> tuple[np.ndarray, ...]:
    """Scores, labels and the true probabilities behind them: log odds off by a slope and a shift."""
    rng = np.random.default_rng(seed)
    z = base + 1.5 * rng.normal(size=n)
    truth = expit(z)
    return expit(slope * z + 0.7), (rng.random(n) < truth).astype(np.float64), truth


def test_platt_and_beta_are_logistic_regressions():
    scores, labels, _ = drawn(0, slope=0.6)
    z = logit(scores)
    ours = calibration.platt(scores, labels).numbers
    oracle = LogisticRegression(C=1e9, tol=1e-10).fit(z[:, None], labels)
    np.testing.assert_allclose(ours, [oracle.coef_[0, 0], oracle.intercept_[0]], atol=0.01)
    both = np.stack([np.log(scores), -np.log1p(-scores)], axis=1)
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(both, labels)
    found = calibration.beta(scores, labels)
    np.testing.assert_allclose(found(scores), oracle.predict_proba(both)[:, 1], atol=0.01)


def test_isotonic_is_that_of_scikit_learn():
    scores, labels, _ = drawn(1, n=5000)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(scores, labels).predict(scores)
    ours = calibration.isotonic(scores, labels)(scores)
    # Steps are shrunken by one row, so only long ones are as long.
    assert np.abs(ours - oracle).mean() < 0.01
    assert ours.min() > 0
    assert ours.max() < 1


@pytest.mark.parametrize("method", list(calibration.METHODS))
@pytest.mark.parametrize("turned", [False, True])
def test_every_map_keeps_the_order(method, turned):
    """Also where held-out rows say the opposite: the order is all that is left, and AUC is asked of it."""
    rng = np.random.default_rng(0)
    s = rng.uniform(0.01, 0.99, 500)
    labels = (rng.random(500) < (1 - s if turned else s)).astype(float)
    found = calibration.METHODS[method](s, labels)
    values = found(np.sort(np.concatenate([s, [1e-4, 1 - 1e-4]])))
    assert (np.diff(values) > 0).all()
    assert ((values > 0) & (values < 1)).all()


@pytest.mark.parametrize("method", list(calibration.METHODS))
@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_maps_rise(method, slope):
    scores, labels, _ = drawn(2, slope=slope)
    values = calibration.METHODS[method](scores, labels)(np.linspace(0, 1, 500))
    assert (np.diff(values) >= -1e-12).all()
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_the_chosen_map_repairs_scores(slope):
    scores, labels, _ = drawn(3, slope=slope)
    later_scores, later_labels, truth = drawn(4, n=20_000, slope=slope)
    chosen, losses = best_map(scores, labels)
    values = chosen(later_scores)
    assert set(losses) == {"identity", "platt", "beta", "isotonic"}
    assert ece(later_labels, values) < 0.02
    assert log_loss(later_labels, values) < log_loss(later_labels, truth) + 0.003
    assert ece(later_labels, later_scores) > 0.06


def test_a_bent_law_needs_more_than_two_parameters():
    """Log odds that bend: isotonic or beta is chosen, by log loss."""
    rng = np.random.default_rng(0)
    scores = rng.random(20_000)
    labels = (rng.random(20_000) < np.where(scores < 0.5, 0.05, 0.6)).astype(np.float64)
    chosen, _ = best_map(scores, labels)
    assert chosen.method == "isotonic"


@pytest.mark.parametrize(("base", "slope"), [(-1.0, 1.0), (-1.0, 0.5), (-4.0, 1.0), (-4.0, 2.0), (2.0, 1.0)])
def test_intervals_cover_the_true_probability(base, slope):
    """Of fresh rows, at least 93 % of the intervals hold the probability behind the row's score, averaged over 12
    calibration sets; and they are no empty promise."""
    covered, widths = [], []
    for seed in range(12):
        scores, labels, _ = drawn(10 + seed, n=6000, base=base, slope=slope)
        told = Calibration.learn(scores, labels)
        fresh, _, truth = drawn(100 + seed, n=2000, base=base, slope=slope)
        found = told(fresh)
        assert ((found.low <= found.value) & (found.value <= found.high)).all()
        covered.append(((found.low <= truth) & (truth <= found.high)).mean())
        widths.append(np.median(found.high - found.low))
    assert np.mean(covered) >= 0.93
    assert np.mean(widths) < 0.2


@pytest.mark.parametrize("turned", [False, True])
def test_rare_ends_say_no_more_than_their_rows(monkeypatch, turned):
    """180 rows without an event do not show that there is none in a million, whatever the fitted curve says."""
    monkeypatch.setattr(
        calibrated, "best_map", lambda scores, labels: (calibration.platt(scores, labels), {})
    )
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(-14, 0.5, 180), rng.normal(0, 1.5, 4000)])
    scores = 1 / (1 + np.exp(-z))
    labels = (rng.random(len(z)) < scores).astype(float)
    if turned:
        scores, labels = 1 - scores, 1 - labels
    told = Calibration.learn(scores, labels)
    found = told(np.array([1 - 1e-6 if turned else 1e-6]))
    value, reach = (1 - found.value[0], 1 - found.low[0]) if turned else (found.value[0], found.high[0])
    assert value < 1e-4
    assert 0.015 < reach < 0.025  # 1 - 0.025 ** (1 / 180) = 0.020
    bounds = told.most_low if turned else told.least_high
    outermost = told.map(scores).max() if turned else told.map(scores).min()
    assert outermost == bounds[0, -1 if turned else 0]  # the very value, so that it finds its own bound
    middle = told(np.array([0.5]))
    assert middle.high[0] - middle.low[0] < 0.2


def test_more_rows_give_narrower_intervals():
    few, many = (Calibration.learn(*drawn(5, n=n)[:2]) for n in (600, 60_000))
    at = np.array([0.2, 0.5, 0.7])
    assert ((many(at).high - many(at).low) < 0.6 * (few(at).high - few(at).low)).all()


def test_without_support_nothing_is_known():
    """Too few events; a score that is none; a row of which training knew nothing."""
    scores, labels, _ = drawn(6, n=300)
    few = Calibration.learn(scores, np.where(np.arange(300) < 4, 1.0, 0.0))
    assert np.isnan(few(scores).value).all()
    told = Calibration.learn(scores, labels)
    found = told(np.array([0.3, np.nan]))
    assert np.isfinite(found.value[0])
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()
    rows = Rows.of(categories=[[1], [2]] * 30, category_names=("size",), sizes=(3,))
    model = Rate()
    model.train(Labelled(rows, np.array([1.0, 0.0, 1.0] * 20)), rng=np.random.default_rng(0))
    strange = Rows.of(categories=[[1], [0], [MISSING]], category_names=("size",), sizes=(3,))
    assert np.isnan(Calibrated(model, told)(strange).value).tolist() == [False, True, True]


def test_beyond_what_was_held_out_the_interval_is_open():
    scores, labels, _ = drawn(7)
    told = Calibration.learn(scores, labels)
    found = told(np.array([1e-8, 1 - 1e-8]))
    assert found.low[0] == 0.0 or scores.min() < 1e-8
    if told.map(np.array([1 - 1e-8]))[0] > told.span[1]:
        assert found.high[1] == 1.0


def test_clopper_pearson_at_a_known_point():
    low, high = clopper_pearson(np.array([3.0]), np.array([20.0]))
    assert low[0] == pytest.approx(beta_law.ppf(0.025, 3, 18))
    assert (round(low[0], 4), round(high[0], 4)) == (0.0321, 0.3789)


def test_restored():
    scores, labels, _ = drawn(8)
    told = Calibration.learn(scores, labels)
    state = {name: array.copy() for name, array in told.state().items()}
    assert all(array.dtype != object for array in state.values())
    again = Calibration.restore(state)
    for part in ("value", "low", "high"):
        assert np.array_equal(getattr(again(scores), part), getattr(told(scores), part))


def test_bad_scores_are_said():
    with pytest.raises(DataError, match="not finite"):
        Calibration.learn(np.array([0.5, np.nan]), np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="2 scores for 1 labels"):
        Calibration.learn(np.array([0.5, 0.4]), np.array([0.0]))
