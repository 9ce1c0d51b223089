"""Popularity: counts, decay, window and categories against hand-made shops."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.recommend.request import Request
from storewise.recommend.retrieve.popular import Popular, PopularConfig

DAY = 86_400.0
# customer, product, day: customer 0 buys product 0 twice and counts once.
EVENTS = np.array([(0, 0, 0), (0, 0, 90), (1, 0, 10), (1, 1, 95), (2, 1, 100), (3, 2, 60), (3, 3, 100)])


def trained(config=None, categories=("a", "a", "b", "b", None)):
    behaviour = Interactions.build(
        EVENTS[:, 0], EVENTS[:, 1], at=EVENTS[:, 2] * DAY, n_customers=5, n_products=5
    )
    products = pl.DataFrame({"product_id": list("vwxyz"), "category": list(categories)})
    data = Dataset(products, list("01234"), behaviour, watermark=behaviour.end)
    model = Popular(config)
    model.train(data, rng=np.random.default_rng(0))
    return model, data


def test_counts_customers_not_events():
    model, data = trained()
    assert model.scores(data.histories([0]))[0].tolist() == [2, 2, 1, 1, 0]
    answer = model(Request(data.histories([4])), 5)
    assert answer.products.tolist() == [0, 1, 2, 3, 4]
    assert [(r.kind, r.value) for r in answer.reasons[:3]] == [("popular", 2), ("popular", 2), ("popular", 1)]


def test_half_life_and_window():
    model, data = trained(PopularConfig(half_life_days=10))
    expected = [2**-1 + 2**-9, 2**-0.5 + 1, 2**-4, 1, 0]
    np.testing.assert_allclose(model.scores(data.histories([0]))[0], expected, rtol=1e-6)
    model, data = trained(PopularConfig(window_days=20))
    assert model.scores(data.histories([0]))[0].tolist() == [1, 2, 0, 1, 0]


def test_own_categories_gain():
    model, data = trained(PopularConfig(category_weight=3))
    # Customer 3 bought only in category b: share 1, so b counts 1 + 3 times.
    assert model.scores(data.histories([3]))[0].tolist() == [2, 2, 4, 4, 0]
    answer = model(Request(data.histories([3])), 3)
    assert answer.products.tolist() == [2, 3, 0]
    assert [(r.kind, r.text) for r in answer.reasons] == [
        ("popular_in", "b"),
        ("popular_in", "b"),
        ("popular", None),
    ]


def test_no_catalogue_means_no_categories():
    data = Dataset.of([0, 1], [0, 0], n_customers=2, n_products=2)
    model = Popular(PopularConfig(category_weight=1))
    model.train(data, rng=np.random.default_rng(0))
    assert model.scores(data.histories([0])).tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize("share", [0.001, 0.3])
def test_few_eligible_products_deep_in_a_long_list_are_found(share):
    rng = np.random.default_rng(0)
    data = Dataset.of(
        rng.integers(0, 500, 9000), rng.integers(0, 5000, 9000), n_customers=500, n_products=5000
    )
    model = Popular()
    model.train(data, rng=rng)
    eligible = rng.random(5000) < share
    score = np.where(eligible, model.scores(data.histories([0]))[0], -1)
    expected = sorted(range(5000), key=lambda i: (-score[i], i))[: min(12, eligible.sum())]
    assert model(Request(data.histories([0]), eligible=eligible), 12).products.tolist() == expected
