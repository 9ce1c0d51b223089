"""1,000 customers, 1,000 products, ten ratings each: customer 500 on product 200, against the known truth."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

from storewise.engine.registry import registry
from storewise.recommend.ratings.base import RatingPredictor
from storewise.testing.ratings import RatedShop, rated_shop

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def shop() -> RatedShop:
    return rated_shop(seed=5)


def train(name: str, shop: RatedShop) -> RatingPredictor:
    model = registry().create(name)
    assert isinstance(model, RatingPredictor)
    model.train(shop.dataset, rng=np.random.default_rng(0))
    return model


def error(found: np.ndarray, shop: RatedShop) -> float:
    return float(np.sqrt(np.mean((found - shop.truth[::10]) ** 2)))


def everything(model: RatingPredictor) -> np.ndarray:
    """Every tenth customer on all products."""
    who, what = np.mgrid[0:1000:10, 0:1000]
    return model.predict(who.ravel(), what.ravel()).value.reshape(who.shape)


def perfect_means(shop: RatedShop) -> np.ndarray:
    """The best that anybody could do with levels alone: the truth's own row and column means."""
    levels = shop.truth.mean(axis=1, keepdims=True) + shop.truth.mean(axis=0) - shop.truth.mean()
    return levels[::10]


def test_the_documented_examples_run():
    failed, run = doctest.testfile(str(DOCS / "ratings.md"), module_relative=False)
    assert run > 15
    assert failed == 0


@pytest.mark.parametrize("name", ["ratings.item_neighbourhood.v1", "ratings.user_neighbourhood.v1"])
def test_collaborative_filtering(name, shop):
    """Bounded by what levels can explain: with neighbours, tastes must show."""
    model = train(name, shop)
    found = error(everything(model), shop)
    assert found < 0.85 * error(np.full((100, 1000), shop.dataset.values.mean()), shop)
    assert found < 0.93 * error(perfect_means(shop), shop)
    answer = model.predict(500, 200)
    assert answer.low[0] <= shop.truth[500, 200] <= answer.high[0]


def test_matrix_factorisation(shop):
    """Bounded by the noise: ten ratings a customer tell more than asking for the rating itself would."""
    model = train("ratings.biased_mf_als.v1", shop)
    found = error(everything(model), shop)
    assert found < 0.5 * error(np.full((100, 1000), shop.dataset.values.mean()), shop)
    assert found < shop.noise
    assert abs(model.predict(500, 200).value[0] - shop.truth[500, 200]) < 2 * shop.noise


@pytest.mark.parametrize("name", ["ratings.item_neighbourhood.v1", "ratings.biased_mf_als.v1"])
def test_the_list_is_what_the_customer_likes(name, shop):
    """Ten products each for fifty customers: most of the way from the average product to the ten best."""
    model = train(name, shop)
    customers = range(0, 1000, 20)
    listed = np.mean([shop.truth[c, model.top(c, 10).products].mean() for c in customers])
    average = shop.truth[::20].mean()
    best = np.sort(shop.truth[::20], axis=1)[:, -10:].mean()
    assert listed > average + 0.6 * (best - average)
