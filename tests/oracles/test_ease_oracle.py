"""EASE against a dense inverse and against plain ridge regressions."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.ease import Ease, EaseConfig
from storewise.testing.retriever import shop


def trained(data, **config):
    model = Ease(EaseConfig(**config))
    model.train(data, rng=np.random.default_rng(0))
    return model.weights.toarray()


def weighted(data, activity):
    x = data.interactions.matrix.toarray().astype(float)
    return x * np.maximum(x.sum(1, keepdims=True), 1) ** (-activity / 2)


@pytest.mark.parametrize("activity", [0.0, 0.5])
def test_exact_is_the_published_closed_form(activity):
    data = shop(4)
    x = weighted(data, activity)
    p = np.linalg.inv(x.T @ x + 7.0 * np.eye(x.shape[1]))
    expected = -p / np.diag(p)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(trained(data, regularization=7, activity=activity), expected, atol=2e-6)


def test_exact_in_several_blocks(monkeypatch):
    data = shop(4)
    whole = trained(data)
    monkeypatch.setattr("storewise.recommend.retrieve.ease.BLOCK", 7)
    np.testing.assert_array_equal(trained(data), whole)


def test_local_with_all_products_as_candidates_is_exact():
    rng = np.random.default_rng(5)
    who, what = np.nonzero(rng.random((200, 20)) < 0.3)
    data = Dataset.of(who, what, n_customers=200, n_products=20)
    assert (data.interactions.matrix.T @ data.interactions.matrix).nnz == 400  # every pair of products meets
    local = trained(data, regularization=5, exact_limit=0)
    np.testing.assert_allclose(local, trained(data, regularization=5), atol=2e-6)


def test_local_column_is_ridge_regression_on_its_candidates():
    data = shop(6)
    x = weighted(data, 0.3)
    w = trained(data, regularization=3, activity=0.3, exact_limit=0, candidates=4)
    assert (np.count_nonzero(w, axis=0) <= 4).all()
    for product in np.flatnonzero(np.count_nonzero(w, axis=0) == 4)[:10]:
        near = np.flatnonzero(w[:, product])
        a = np.vstack([x[:, near], np.sqrt(3) * np.eye(4)])
        b = np.concatenate([x[:, product], np.zeros(4)])
        np.testing.assert_allclose(w[near, product], np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-5)


def test_target_power_divides_columns_by_popularity():
    data = shop(4)
    n = np.maximum(data.interactions.popularity, 1)
    np.testing.assert_allclose(
        trained(data, target_power=0.5), trained(data) / np.sqrt(n), rtol=1e-5, atol=1e-8
    )


def test_a_shop_without_events():
    data = Dataset.of([], [], n_customers=2, n_products=3)
    for limit in (0, 100):
        assert not trained(data, exact_limit=limit).any()
