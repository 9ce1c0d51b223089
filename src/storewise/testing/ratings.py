"""The contract of rating predictors, as a suite that a plug-in's own tests can call, and ratings with a truth.

>>> from storewise.recommend.ratings.baseline import MeansPredictor
>>> check_rating_predictor(MeansPredictor)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.component import same_state
from storewise.core.errors import DataError, StateError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.recommend.ratings.base import Basis, RatingPredictor

Make = Callable[[], RatingPredictor[Any]]


@dataclass(frozen=True)
class RatedShop:
    """``dataset``: what customers said. ``truth`` (n_customers, n_products): what they would say of each
    product without noise. ``noise``: standard deviation of one rating around its truth, before rounding."""

    dataset: Dataset
    truth: npt.NDArray[np.float64]
    noise: float


def rated_shop(
    seed: int = 0,
    *,
    customers: int = 1000,
    products: int = 1000,
    each: int = 10,
    noise: float = 0.5,
    skew: float = 0.8,
) -> RatedShop:
    """A shop whose customers have one of two tastes: truth = 3 ± 1 + customer's and product's own level.

    Each customer rates ``each`` products, drawn by a Zipf law with exponent ``skew``, in whole stars 1 to 5.

    >>> shop = rated_shop(customers=20, products=30)
    >>> len(shop.dataset.interactions), shop.truth.shape
    (200, (20, 30))
    """
    rng = np.random.default_rng(seed)
    taste, kind = rng.choice([-1.0, 1.0], customers), rng.choice([-1.0, 1.0], products)
    levels = rng.normal(0.0, 0.3, (customers, 1)) + rng.normal(0.0, 0.3, products)
    truth = 3.0 + levels + np.outer(taste, kind)
    share = rng.permutation(1.0 / np.arange(1, products + 1) ** skew)
    share /= share.sum()
    what = np.concatenate([rng.choice(products, each, replace=False, p=share) for _ in range(customers)])
    who = np.repeat(np.arange(customers), each)
    stars = np.clip(np.round(truth[who, what] + rng.normal(0.0, noise, len(who))), 1, 5)
    rated = Interactions.build(who, what, weight=stars, n_customers=customers, n_products=products)
    dataset = Dataset.from_interactions(rated).with_interactions(rated, values=rated.weight)
    return RatedShop(dataset, np.clip(truth, 1.0, 5.0), noise)


def check_rating_predictor(make: Make, seed: int = 0) -> None:
    """Run every check below.

    Raises:
        AssertionError: naming the broken promise.
    """
    data = rated_shop(seed, customers=80, products=60).dataset
    rng = np.random.default_rng(seed)
    _check_refusals(make, data, rng)
    model = make()
    model.train(data, rng=np.random.default_rng(seed))
    check_predictions(model, data)
    check_fallbacks(model, data)
    check_list(model, data)
    again = make()
    again.train(data, rng=np.random.default_rng(seed))
    assert same_state(model.state(), again.state()), "training twice gives different states"
    check_restored(make, model, data)


def _check_refusals(make: Make, data: Dataset, rng: np.random.Generator) -> None:
    try:
        make().predict(0, 0)
        raise AssertionError("an untrained model answered")
    except StateError:
        pass
    try:
        make().train(data.with_interactions(data.interactions), rng=rng)
        raise AssertionError("a dataset without ratings was accepted")
    except DataError:
        pass


def _all_pairs(data: Dataset) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Every customer with every product, and an unknown one on each side."""
    who, what = np.meshgrid(np.arange(-1, data.n_customers + 1), np.arange(-1, data.n_products + 1))
    return who.ravel(), what.ravel()


def check_predictions(model: RatingPredictor[Any], data: Dataset) -> None:
    """Finite, inside the scale of the data, inside their own interval; none for no pairs."""
    assert data.values is not None
    found = model.predict(*_all_pairs(data))
    for part in (found.value, found.low, found.high):
        assert np.isfinite(part).all(), "a prediction or an end of its interval is not finite"
        assert part.min() >= data.values.min(), "below the scale"
        assert part.max() <= data.values.max(), "above the scale"
    assert (found.low <= found.high).all(), "an interval is upside down"
    assert len(model.predict([], [])) == 0, "no pairs, but predictions"


def check_fallbacks(model: RatingPredictor[Any], data: Dataset) -> None:
    """An unknown customer or product gets the declared mean, and the basis says so."""
    unknown_customer, unknown_product = model.predict(-1, 0), model.predict(0, data.n_products)
    neither = model.predict(-1, -1)
    assert unknown_customer.basis[0] == Basis.PRODUCT_MEAN
    assert unknown_product.basis[0] == Basis.CUSTOMER_MEAN
    assert neither.basis[0] == Basis.OVERALL_MEAN
    assert data.values is not None
    assert np.isclose(neither.value[0], data.values.mean()), "the overall mean is not the mean rating"


def check_list(model: RatingPredictor[Any], data: Dataset, customer: int = 3, n: int = 7) -> None:
    """Falling scores, nothing the customer has rated, the same order as the predictions."""
    found = model.top(customer, n)
    rated = data.interactions.products[data.interactions.customers == customer]
    assert len(found) == n, "the list is short although unrated products remain"
    assert not np.isin(found.products, rated).any(), "the list holds a product the customer has rated"
    assert (np.diff(found.scores) <= 0).all(), "the list is not in order"
    left = np.setdiff1d(np.arange(data.n_products), np.concatenate([rated, found.products]))
    worst, best_left = model.predict(customer, found.products[-1:]), model.predict(customer, left)
    assert worst.value[0] >= best_left.value.max() - 1e-6, "a better product is not in the list"


def check_restored(make: Make, model: RatingPredictor[Any], data: Dataset) -> None:
    """State is plain arrays, and a restored model answers bit for bit the same."""
    state = model.state()
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state.values()), "state is not arrays"
    again = make()
    again.restore({name: array.copy() for name, array in state.items()})
    before, after = model.predict(*_all_pairs(data)), again.predict(*_all_pairs(data))
    for name in ("value", "low", "high", "basis"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), f"restored: {name} differs"
