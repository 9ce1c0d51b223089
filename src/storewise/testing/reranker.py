"""The contract of rerankers, as a suite that a plug-in's own tests can call.

>>> from storewise.recommend.rerank.mmr import Mmr
>>> check_reranker(Mmr)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Histories
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.rerank.base import Reranked, Reranker
from storewise.understand.base import unit

Make = Callable[[], Reranker[Any]]
N_PRODUCTS = 30


@dataclass(frozen=True)
class SmallShelf:
    """Thirty products in four categories, one without; every third is red."""

    category_names: list[str] = field(default_factory=lambda: ["a", "b", "c", "d"])
    vectors: npt.NDArray[np.float32] | None = None

    @property
    def category_codes(self) -> npt.NDArray[np.int32]:
        return np.array([i % 5 - 1 for i in range(N_PRODUCTS)], np.int32)

    @property
    def attribute_index(self) -> dict[tuple[str, str], npt.NDArray[np.int32]]:
        return {("colour", "red"): np.arange(0, N_PRODUCTS, 3, dtype=np.int32)}

    @property
    def margins_minor(self) -> npt.NDArray[np.float64]:
        found = np.arange(N_PRODUCTS, dtype=np.float64) - 4.0
        found[11] = np.nan
        return found


def shelf(seed: int = 0) -> SmallShelf:
    """With content vectors; one product of which nothing is known."""
    vectors = unit(np.random.default_rng(seed).normal(size=(N_PRODUCTS, 6)).astype(np.float32))
    vectors[7] = 0
    return SmallShelf(vectors=vectors)


def a_list(seed: int = 0, m: int = 20) -> ItemList:
    """Different products with falling scores and a reason each."""
    rng = np.random.default_rng(seed)
    products = rng.permutation(N_PRODUCTS)[:m].astype(np.int32)
    scores = np.sort(rng.random(m).astype(np.float32))[::-1].copy()
    return ItemList(products, scores, tuple(Reason("popular", value=float(p)) for p in products))


def a_request(products: npt.ArrayLike = (1, 6, 11, 2, 3, 8)) -> Request:
    """A shopper with a history, who has been shown the first ten products often."""
    return Request(Histories.single(products, n_products=N_PRODUCTS), shown=dict.fromkeys(range(10), 9))


def check_reranker(make: Make, seed: int = 0) -> None:
    """Run every check below.

    Raises:
        AssertionError: naming the broken promise.
    """
    for vectors in (True, False):
        model = make()
        model.stock(shelf(seed) if vectors else SmallShelf())
        for request in (a_request(), a_request([])):
            for m in (20, 3, 1, 0):
                for n in (0, 1, 6, 20, 50):
                    check_list(model, request, a_list(seed, m), n)


def check_list(model: Reranker[Any], request: Request, items: ItemList, n: int) -> None:
    """Nothing invented, nothing twice, at most n, reasons kept, and true moves."""
    found = model(request, items, n)
    assert isinstance(found, Reranked), "not a Reranked list"
    products = found.products.tolist()
    assert len(products) <= n, f"{len(products)} items of {n}"
    assert len(set(products)) == len(products), "a product twice"
    place = {int(product): at for at, product in enumerate(items.products)}
    assert set(products) <= set(place), "a product that was not given"
    assert len(found.moves) == len(found.reasons) == len(found), "moves or reasons are missing"
    for after, product in enumerate(products):
        before = place[product]
        assert found.reasons[after] == items.reasons[before], "another product's reason"
        assert found.scores[after] == items.scores[before], "another product's score"
        moves = found.moves[after]
        assert bool(moves) == (before != after), "a move without moving, or moving without a move"
        for move in moves:
            assert (move.rule, move.before, move.after) == (model.rule, before, after), "an untrue move"
    again = model(request, items, n)
    assert again.products.tolist() == products, "asked twice, two answers"
