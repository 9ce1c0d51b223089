"""Macro-F1 and its interval against scikit-learn and a loop."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from storewise.metrics.classification import f1_by_class, macro_f1


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 4, 80), rng.integers(0, 4, 80)
    predicted[:40] = truth[:40]
    np.testing.assert_allclose(f1_by_class(truth, predicted, 4), f1_score(truth, predicted, average=None))
    assert macro_f1(truth, predicted, 4, seed=0).value == pytest.approx(
        f1_score(truth, predicted, average="macro")
    )


def test_a_class_that_is_not_there_does_not_count():
    truth = np.array([0, 0, 1, 1])
    found = macro_f1(truth, np.array([0, 0, 1, 2]), 4, seed=0)
    assert found.value == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(f1_by_class(truth, truth, 4)[3])


def test_the_interval_is_that_of_a_loop_over_the_same_products():
    from storewise.metrics.intervals import draws

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 50)
    predicted = np.where(rng.random(50) < 0.7, truth, rng.integers(0, 3, 50))
    found = macro_f1(truth, predicted, 3, seed=5, resamples=200)
    values = []
    for count in np.concatenate(list(draws(50, 5, 200))):
        rows = np.repeat(np.arange(50), count.astype(int))
        present = np.unique(truth[rows])
        values.append(f1_score(truth[rows], predicted[rows], labels=present, average="macro"))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_nobody_is_nothing():
    assert np.isnan(macro_f1(np.zeros(0, int), np.zeros(0, int), 3, seed=0).value)
