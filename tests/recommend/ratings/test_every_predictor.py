"""What holds for every rating predictor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.engine.registry import registry
from storewise.recommend.ratings.base import Basis, RatingPredictor
from storewise.testing.ratings import check_rating_predictor, rated_shop

NAMES = registry().names("ratings")


def make(name: str) -> RatingPredictor:
    found = registry().create(name)
    assert isinstance(found, RatingPredictor)
    return found


def test_all_are_found():
    assert len(NAMES) == 6


@pytest.mark.parametrize("name", NAMES)
def test_contract(name):
    check_rating_predictor(lambda: make(name))


@pytest.mark.parametrize("name", NAMES)
def test_artifact_round_trip(name, tmp_path: Path):
    data = rated_shop(customers=60, products=50).dataset
    model = make(name)
    model.train(data, rng=np.random.default_rng(0))
    read = artifact.read(artifact.write(Artifact("ratings", {}, model.state()), tmp_path))
    again = make(name)
    again.restore(read.arrays)
    assert np.array_equal(model.predict(5, np.arange(50)).value, again.predict(5, np.arange(50)).value)


@pytest.mark.parametrize("name", NAMES)
def test_scale_is_read_from_the_data(name):
    """Ratings of 0 to 100 give the predictions of 1 to 5 stretched: nothing knows five stars."""
    data = rated_shop(customers=80, products=60).dataset
    stretched = data.with_interactions(data.interactions, values=(data.values - 1) * 25)
    small, large = make(name), make(name)
    small.train(data, rng=np.random.default_rng(0))
    large.train(stretched, rng=np.random.default_rng(0))
    products = np.arange(60)
    np.testing.assert_allclose(
        large.predict(3, products).value, (small.predict(3, products).value - 1) * 25, atol=0.5
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ratings", [[4.0], [4.0, 2.0], [3.0, 3.0, 3.0]])
def test_tiny_data(name, ratings):
    """One, two or three equal ratings: an answer inside the scale, and an interval that admits ignorance."""
    data = rated_shop(customers=5, products=5, each=3).dataset
    few = data.interactions.select(np.arange(15) < len(ratings))
    model = make(name)
    model.train(
        data.with_interactions(few, values=np.array(ratings, np.float32)), rng=np.random.default_rng(0)
    )
    found = model.predict(int(few.customers[0]), np.arange(5))
    assert np.isfinite(found.value).all()
    assert (found.low == min(ratings)).all()
    assert (found.high == max(ratings)).all()


@pytest.mark.parametrize("name", NAMES)
def test_interval_covers_what_it_promises(name):
    """On ratings that training has not seen, for the model and for each fallback."""
    whole = rated_shop(1, customers=400, products=200, each=30).dataset
    rng = np.random.default_rng(2)
    cold_customers, cold_products = rng.random(400) < 0.1, rng.random(200) < 0.1
    rows = whole.interactions
    cold = cold_customers[rows.customers] | cold_products[rows.products]
    hidden = cold | (rng.random(len(rows)) < 0.25)
    model = make(name)
    model.train(whole.with_interactions(rows.select(~hidden), values=whole.values[~hidden]), rng=rng)
    found = model.predict(rows.customers[hidden], rows.products[hidden])
    inside = (whole.values[hidden] >= found.low) & (whole.values[hidden] <= found.high)
    for basis in (Basis.MODEL, Basis.PRODUCT_MEAN, Basis.CUSTOMER_MEAN):
        part = inside[found.basis == basis]
        assert len(part) > 500
        # 0.9 promised; whole stars make intervals cover more, never much less.
        assert 0.87 < part.mean() <= 0.99, basis.name


def test_more_support_gives_narrower_intervals():
    """Customers with 60 ratings against customers with 4."""
    shop = rated_shop(3, customers=1000, products=200, each=60).dataset
    rng = np.random.default_rng(0)
    thin = np.arange(1000) < 900
    keep = ~thin[shop.interactions.customers] | (rng.random(len(shop.interactions)) < 4 / 60)
    model = make("ratings.biased_mf_als.v1")
    model.train(
        shop.with_interactions(shop.interactions.select(keep), values=shop.values[keep]),
        rng=np.random.default_rng(0),
    )
    who, what = np.meshgrid([1, 2, 3, 997, 998, 999], np.arange(200), indexing="ij")
    found = model.predict(who.ravel(), what.ravel())
    width = (found.high - found.low).reshape(2, -1).mean(axis=1)
    assert width[1] < 0.9 * width[0]
