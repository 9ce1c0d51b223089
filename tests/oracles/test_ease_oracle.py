"""EASE against a dense inverse and against plain ridge regressions."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.co_counts import CoCounts
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


@pytest.mark.parametrize("activity", [0.0, 0.6])
def test_local_from_customers_is_local_from_counts(activity, monkeypatch):
    """Two ways to the same small systems: out of the Gram matrix, or out of the products' customers."""
    data, config = shop(6), {"activity": activity, "exact_limit": 0, "candidates": 6}
    counts = CoCounts(data.interactions)
    rest, diagonal = counts.gram(activity=activity)
    factor = counts.factor(activity)
    np.testing.assert_allclose((factor @ factor.T).toarray(), rest.toarray() + np.diag(diagonal), rtol=1e-5)
    short = trained(data, regularization=3, **config)
    monkeypatch.setattr(CoCounts, "factor", lambda self, activity: None)
    np.testing.assert_allclose(short, trained(data, regularization=3, **config), atol=2e-6)


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


def rated(seed=0):
    """Customers who act in bursts, with ratings, and some products twice."""
    rng = np.random.default_rng(seed)
    who, what = rng.integers(0, 12, 150), rng.integers(0, 8, 150)
    at = 1e6 + rng.integers(0, 4, 150) * 1e4 + rng.uniform(0, 900, 150)
    stars = rng.integers(1, 6, 150).astype(float)
    return Dataset.of(who, what, at=at, weight=stars, n_customers=12, n_products=8)


def slow_gram(data, activity, together, together_s, emphasis):
    """Over groups of entries: customers, and customers' stays in the cells of four grids."""
    b = data.interactions
    total = np.zeros((8, 8))
    for customer in range(12):
        mine = np.flatnonzero(b.customers == customer)
        stars = b.weight[mine].astype(float)
        z = (stars - stars.mean()) / stars.std() if len(mine) > 1 and stars.std() > 0 else 0 * stars
        value = np.maximum(1 + emphasis * z, 0)
        share = len(set(b.products[mine])) ** -activity
        grids = [(1 - together, np.zeros(len(mine)))]
        grids += [(together / 4, np.floor(b.at[mine] / together_s + o / 4)) for o in range(4)]
        for weight, cell in grids:
            for c in set(cell):
                x = np.zeros(8)
                for product in set(b.products[mine][cell == c]):
                    x[product] = value[(cell == c) & (b.products[mine] == product)].mean()
                total += weight * share * np.outer(x, x)
    return total


@pytest.mark.parametrize(
    ("activity", "together", "together_s", "emphasis"),
    [(0.0, 0.0, 600.0, 0.0), (0.5, 0.7, 300.0, 0.0), (0.3, 0.4, 2000.0, 0.3), (0.0, 1.0, 60.0, 1.0)],
)
def test_gram_by_loops(activity, together, together_s, emphasis):
    data = rated()
    expected = slow_gram(data, activity, together, together_s, emphasis)
    rest, diagonal = CoCounts(data.interactions).gram(
        activity=activity, together=together, together_s=together_s, emphasis=emphasis
    )
    np.testing.assert_allclose(rest.toarray() + np.diag(diagonal), expected, rtol=1e-4, atol=1e-5)
    assert np.linalg.eigvalsh(expected).min() > -1e-6


def test_the_time_kernel_falls_from_one_to_nothing():
    """Two products of one customer, d seconds apart: on average over where the grid lies, 1 - d / length."""
    gaps = [0.0, 25.0, 50.0, 100.0, 200.0]
    found = []
    for gap in gaps:
        parts = []
        for start in np.linspace(1e6, 1e6 + 100, 40, endpoint=False):
            data = Dataset.of([0, 0], [0, 1], at=[start, start + gap], n_customers=1, n_products=2)
            gram, _ = CoCounts(data.interactions).gram(together=1.0, together_s=100.0)
            parts.append(gram[0, 1])
        found.append(np.mean(parts))
    np.testing.assert_allclose(found, [1.0, 0.75, 0.5, 0.0, 0.0], atol=0.03)


def test_everything_together_is_the_closed_form():
    data = rated(1)
    g = slow_gram(data, 0.3, 0.6, 500.0, 0.2)
    p = np.linalg.inv(g + np.diag(0.5 * np.diag(g) + 3.0))
    expected = -p / np.diag(p)
    np.fill_diagonal(expected, 0)
    config = {"activity": 0.3, "together": 0.6, "together_s": 500.0, "emphasis": 0.2, "dropout": 0.5}
    np.testing.assert_allclose(trained(data, regularization=3, **config), expected, atol=1e-5)


def test_what_was_liked_more_speaks_louder():
    data = rated(1)
    model = Ease(EaseConfig(emphasis=0.4))
    model.train(data, rng=np.random.default_rng(0))
    liked = Histories.single([1, 2], n_products=8, weight=[5.0, 1.0])
    expected = 1.4 * model.weights[1].toarray() + 0.6 * model.weights[2].toarray()
    found = model.scores(liked)
    np.testing.assert_allclose(np.where(np.isfinite(found), found, 0.0), expected, atol=1e-6)


def test_great_negative_weights_survive_pruning():
    data = shop(4)
    whole = trained(data, regularization=5)
    few = trained(data, regularization=5, neighbours=6)
    kept = few != 0
    assert (kept & (few < 0)).any()
    for row in range(len(whole)):
        if kept[row].any():
            assert np.abs(whole[row][kept[row]]).min() >= np.abs(whole[row][~kept[row]]).max() - 1e-9


def test_the_largest_of_a_dense_block_are_those_of_a_full_sort():
    from storewise.recommend.retrieve.ease import _largest

    block = np.random.default_rng(4).standard_normal((7, 30)).astype(np.float32)
    block[:, 3] = 0.0
    found = _largest(block, 5)
    for row in range(7):
        best = np.sort(np.argsort(-np.abs(block[row]))[:5])
        assert found.indices[found.indptr[row] : found.indptr[row + 1]].tolist() == best.tolist()
        assert found[row].toarray()[0, best].tolist() == block[row, best].tolist()
    np.testing.assert_array_equal(_largest(block, 99).toarray(), block)
