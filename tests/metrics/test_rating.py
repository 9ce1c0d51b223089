from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from storewise.metrics import rating


def test_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(1, 6, 500).astype(np.float32), rng.normal(3, 1, 500)
    assert rating.rmse(truth, predicted) == pytest.approx(root_mean_squared_error(truth, predicted))
    assert rating.mae(truth, predicted) == pytest.approx(mean_absolute_error(truth, predicted))


def test_no_ratings_is_nan() -> None:
    assert math.isnan(rating.rmse(np.empty(0), np.empty(0)))
    assert math.isnan(rating.mae(np.empty(0), np.empty(0)))
