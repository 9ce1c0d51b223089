"""Item neighbourhoods against plain loops and closed forms."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.recommend.request import Request
from storewise.recommend.retrieve.co_counts import CoCounts
from storewise.recommend.retrieve.item_item import entry_weights
from storewise.recommend.retrieve.item_knn import ItemKnn, ItemKnnConfig
from storewise.testing.retriever import shop


def slow_counts(data, activity, gap, backward, window):
    """Every pair of entries of every customer, by hand."""
    counts = np.zeros((data.n_products, data.n_products))
    entries = defaultdict(list)
    for customer, product, at in zip(data.customers, data.products, data.at, strict=True):
        entries[customer].append((product, at))
    for lines in entries.values():
        times = sorted({at for _, at in lines})
        share = len({product for product, _ in lines}) ** -activity
        for place, (first, start) in enumerate(lines):
            for second, stop in lines[place + 1 : place + 1 + window]:
                steps = times.index(stop) - times.index(start)
                value = share * max(steps, 1) ** -gap
                counts[first, second] += value
                counts[second, first] += value * (backward if steps else 1.0)
    np.fill_diagonal(counts, 0.0)
    return counts


@pytest.mark.parametrize(("activity", "gap", "backward", "window"), [(0, 1, 0.3, 4), (0.7, 0.5, 1, 99)])
def test_ordered_counts(activity, gap, backward, window):
    data = shop(3).interactions
    found = CoCounts(data).of(activity=activity, gap=gap, backward=backward, window=window).toarray()
    np.testing.assert_allclose(found, slow_counts(data, activity, gap, backward, window), rtol=1e-5)


def test_chunked_sums_are_the_same(monkeypatch):
    data = shop(3).interactions
    whole = CoCounts(data).of(gap=0.5).toarray()
    monkeypatch.setattr("storewise.recommend.retrieve.co_counts.CHUNK", 50)
    np.testing.assert_allclose(CoCounts(data).of(gap=0.5).toarray(), whole, rtol=1e-5)


def test_order_does_not_matter_without_gap_and_direction():
    rng = np.random.default_rng(0)
    who, what = np.repeat(np.arange(20), 6), np.concatenate([rng.permutation(15)[:6] for _ in range(20)])
    ordered = Interactions.build(who, what, at=rng.random(120), n_customers=20, n_products=15)
    unordered = Interactions.build(who, what, n_customers=20, n_products=15)
    a = CoCounts(ordered).of(gap=1e-12, backward=1.0, window=999).toarray()
    np.testing.assert_allclose(a, CoCounts(unordered).of().toarray(), rtol=1e-5)


def test_cosine_and_rp3beta_are_points_of_the_family():
    data = Dataset.from_interactions(shop(1).interactions)
    x = data.interactions.matrix.toarray().astype(float)
    popularity = np.maximum(x.sum(0), 1e-9)
    cosine = x.T @ x / np.sqrt(np.outer(popularity, popularity))
    walk = (x / popularity).T @ (x / np.maximum(x.sum(1, keepdims=True), 1)) / popularity**0.6
    for expected, config in (
        (cosine, {"activity": 0, "source_power": 0.5, "target_power": 0.5, "shrinkage": 0}),
        (walk, {"activity": 1, "source_power": 1, "target_power": 0.6, "shrinkage": 0}),
    ):
        np.fill_diagonal(expected, 0)
        model = ItemKnn(ItemKnnConfig(**config))
        model.train(data, rng=np.random.default_rng(0))
        np.testing.assert_allclose(model.weights.toarray(), expected, rtol=1e-4, atol=1e-7)


def test_bm25_saturates_popular_products():
    data = shop(1)
    model = ItemKnn(ItemKnnConfig(weighting="bm25", activity=0, k1=1.5, b=0.6))
    model.train(data, rng=np.random.default_rng(0))
    x = data.interactions.matrix.toarray().astype(float)
    n = x.sum(0)
    term = 2.5 / (1.5 * (0.4 + 0.6 * n / n.mean()) + 1)
    expected = (x * term).T @ (x * term)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.weights.toarray(), expected, rtol=1e-4)


def test_scores_are_the_weighted_sum_and_only_the_best_neighbours_count():
    data = shop(2)
    model = ItemKnn(ItemKnnConfig(decay=0.4, half_life_days=30, neighbours=3))
    model.train(data, rng=np.random.default_rng(0))
    w = model.weights.toarray()
    full = ItemKnn(ItemKnnConfig(decay=0.4, half_life_days=30))
    full.train(data, rng=np.random.default_rng(0))
    assert (np.count_nonzero(w, axis=1) <= 3).all()
    for kept, row in zip(w, full.weights.toarray(), strict=True):
        np.testing.assert_allclose(np.sort(kept)[-3:], np.sort(row)[-3:])
    histories = data.histories([5])
    times = sorted(set(histories.at), reverse=True)
    expected = np.zeros(data.n_products)
    for product, at in zip(histories.products, histories.at, strict=True):
        age = (histories.now[0] - at) / 86_400
        expected += np.exp(-0.4 * times.index(at)) * 2 ** (-age / 30) * w[product]
    found = model.scores(histories)[0]
    np.testing.assert_allclose(np.where(np.isinf(found), 0, found), expected, rtol=1e-4)


def test_the_reason_is_the_greatest_contribution():
    data = shop(2)
    model = ItemKnn(ItemKnnConfig(decay=0.4))
    model.train(data, rng=np.random.default_rng(0))
    request = Request(data.histories([5]))
    answer = model(request, 5)
    weight = request.history.matrix(entry_weights(model.config, request.history)).toarray()[0]
    for product, reason in zip(answer.products, answer.reasons, strict=True):
        assert reason.kind == "bought_with"
        assert reason.product == np.argmax(weight * model.weights.toarray()[:, product])
