"""The contract of retrievers, as a suite that a plug-in's own tests can call.

>>> from storewise.recommend.retrieve.popular import Popular
>>> check_retriever(Popular)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from storewise.core.component import same_state
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.request import Request
from storewise.recommend.retrieve.base import Retriever, top_n
from storewise.understand.base import unit

DAY_S = 86_400.0
Make = Callable[[], Retriever[Any]]


def shop(seed: int = 0, *, customers: int = 60, products: int = 40, events: int = 700) -> Dataset:
    """A small shop with taste groups, repeat purchases, one product never sold and one idle customer."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, customers - 1, events)
    what = (who % 4 * 10 + rng.zipf(1.6, events) % 10).astype(np.int32) % (products - 1)
    at = rng.integers(0, 200, events) * DAY_S
    groups = np.eye(5, dtype=np.float32)[np.arange(products) // 10 % 5] + rng.normal(0, 0.3, (products, 5))
    groups[7] = 0  # a product whose content nobody knows
    content = unit(groups)
    made = Dataset.of(who, what, at=at, n_customers=customers, n_products=products)
    return made.with_content(content)


def check_retriever(make: Make, seed: int = 0) -> None:
    """Run every check below.

    Raises:
        AssertionError: naming the broken promise.
    """
    data = shop(seed)
    model = make()
    model.train(data, rng=np.random.default_rng(seed))
    check_scores(model, data)
    check_round_trip(make, model, data)
    check_repeatable(make, model, data, seed)
    check_single_request(model, data)
    check_batch_independence(model, data)


def check_scores(model: Retriever[Any], data: Dataset) -> None:
    """Shape, type and no NaN, for known and unknown customers and for an empty history."""
    for name, histories in _cases(data).items():
        found = model.scores(histories)
        assert found.shape == (len(histories), data.n_products), f"{name}: scores have shape {found.shape}"
        assert found.dtype == np.float32, f"{name}: scores are {found.dtype}, not float32"
        assert not np.isnan(found).any(), f"{name}: scores hold NaN"
        assert not np.isposinf(found).any(), f"{name}: scores hold +inf"


def check_round_trip(make: Make, model: Retriever[Any], data: Dataset) -> None:
    """State is plain arrays, and a restored model answers bit for bit the same."""
    state = model.state()
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state.values()), "state is not arrays"
    again = make()
    again.restore({name: array.copy() for name, array in state.items()})
    for name, histories in _cases(data).items():
        assert np.array_equal(model.scores(histories), again.scores(histories)), f"{name}: restored differs"


def check_repeatable(make: Make, model: Retriever[Any], data: Dataset, seed: int) -> None:
    """The same data and seed give the same state."""
    again = make()
    again.train(data, rng=np.random.default_rng(seed))
    assert same_state(model.state(), again.state()), "training twice gives different states"


def check_single_request(model: Retriever[Any], data: Dataset, n: int = 7) -> None:
    """``__call__`` agrees with ``scores``, keeps to eligible products, and gives a reason for each."""
    eligible = np.random.default_rng(1).random(data.n_products) < 0.5
    for name, histories in _cases(data).items():
        for row in range(len(histories)):
            one = histories.part(row, row + 1)
            _check_finite(model, one, name)
            for allowed in (None, eligible):
                expected = top_n(model.scores(one)[0], n, eligible=allowed)
                found = model(Request(one, eligible=allowed), n)
                np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-6, err_msg=name)
                assert allowed is None or allowed[found.products].all(), f"{name}: ineligible product"
                assert len(found.reasons) == len(found), f"{name}: {len(found.reasons)} reasons"
                assert len(set(found.products.tolist())) == len(found), f"{name}: a product twice"
                same = found.products == expected.products
                tied = np.isclose(model.scores(one)[0][found.products], expected.scores, rtol=1e-4, atol=1e-6)
                assert (same | tied).all(), f"{name}: other products than by scores"


def _check_finite(model: Retriever[Any], one: Histories, name: str) -> None:
    scores = model.scores(one)[0]
    products, values = model.finite(one)
    assert np.array_equal(products, np.flatnonzero(scores > -np.inf)), f"{name}: finite lists other products"
    np.testing.assert_allclose(values, scores[products], rtol=1e-4, atol=1e-6, err_msg=name)


def check_batch_independence(model: Retriever[Any], data: Dataset) -> None:
    """A shopper's scores do not depend on who else is in the batch or in which order they stand."""
    order = np.random.default_rng(2).permutation(data.n_customers)
    together = model.scores(data.histories(np.arange(data.n_customers)))
    np.testing.assert_allclose(
        model.scores(data.histories(order)), together[order], rtol=1e-4, atol=1e-5, err_msg="order matters"
    )


def _cases(data: Dataset) -> dict[str, Histories]:
    known = data.histories(np.arange(0, data.n_customers, 9))
    unknown = Histories.single([3, 1, 3], n_products=data.n_products, now=data.interactions.end)
    return {
        "known customers": known,
        "idle customer": data.histories([data.n_customers - 1]),
        "unknown customer": unknown,
        "empty history": Histories.single([], n_products=data.n_products, now=data.interactions.end),
        "no one": known.part(0, 0),
    }
