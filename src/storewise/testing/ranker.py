"""The contract of rankers, as a suite that a plug-in's own tests can call.

>>> from storewise.recommend.rank.lambdamart import LambdaMart, LambdaMartConfig
>>> check_ranker(lambda: LambdaMart(LambdaMartConfig(trees=5, least_rows_in_leaf=5)))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from storewise.core.component import same_state
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.choose.task import Task
from storewise.recommend.rank.base import Moment, Ranker
from storewise.recommend.rank.candidates import Shortlist, Sources
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.rank.stage import replayed
from storewise.recommend.request import ItemList, Request
from storewise.recommend.retrieve.item_knn import ItemKnn
from storewise.recommend.retrieve.popular import Popular
from storewise.testing.retriever import DAY_S, shop

Make = Callable[[], Ranker[Any]]
WINDOW_S = 28 * DAY_S


@cache
def lessons(seed: int = 0) -> tuple[list[Moment], Dataset, Sources]:
    """Three past moments of a small shop, what was known at the end, and the retrievers trained on that."""
    data = shop(seed, customers=80, events=1500)
    end = data.watermark
    moments = [_moment(data, end - ago * WINDOW_S) for ago in (3, 2, 1)]
    return moments, data, sources_of(data)


def sources_of(data: Dataset, depth: int = 15) -> Sources:
    """Two retrievers trained on ``data``, neighbours serving."""
    knn, popular = ItemKnn(), Popular()
    for model in (knn, popular):
        model.train(data, rng=np.random.default_rng(0))
    return Sources.of(knn, "retrieve.item_knn.v1", {"retrieve.popular.v1": popular}, depth=depth)


def _moment(data: Dataset, now: float) -> Moment:
    known = data.until(now)
    later = data.interactions.at
    after = data.interactions.select((later >= now) & (later < now + WINDOW_S))
    who = np.flatnonzero((np.diff(known.interactions.indptr) > 0) & (np.diff(after.indptr) > 0))
    task = Task(known.histories(who, now=now), after.matrix[who], None, 10)
    return replayed(sources_of(known), task, ProductFacts.of(known))


def check_ranker(make: Make, seed: int = 0) -> None:
    """Run every check below.

    Raises:
        AssertionError: naming the broken promise.
    """
    moments, data, sources = lessons(seed)
    facts = ProductFacts.of(data)
    model = make()
    model.train(moments, facts=facts, rng=np.random.default_rng(seed))
    check_same_items(model, data, sources)
    check_round_trip(make, model, data, sources)
    check_batch_independence(model, data, sources)
    check_chances(model, data, sources)
    again = make()
    again.train(moments, facts=facts, rng=np.random.default_rng(seed))
    assert same_state(model.state(), again.state()), "training twice gives different states"


def check_same_items(model: Ranker[Any], data: Dataset, sources: Sources) -> None:
    """The same items, scores falling, NaN last; for known and unknown shoppers, empty and plain lists."""
    for name, history in cases(data).items():
        full = Shortlist.of(sources.one(history))
        plain = ItemList(full.products[:7], np.arange(7, 0, -1, dtype=np.float32)[: len(full.products[:7])])
        for items in (full, plain, ItemList.empty()):
            found = model(Request(history), items)
            assert sorted(found.products.tolist()) == sorted(items.products.tolist()), f"{name}: other items"
            told = found.scores[~np.isnan(found.scores)]
            assert (np.diff(told) <= 0).all(), f"{name}: scores rise"
            assert np.isnan(found.scores[len(told) :]).all(), f"{name}: NaN stands before a score"
            assert len(model.reasons(Request(history), found)) == len(found), f"{name}: reasons are missing"


def check_round_trip(make: Make, model: Ranker[Any], data: Dataset, sources: Sources) -> None:
    """State is plain arrays, and a restored ranker scores bit for bit the same."""
    state = model.state()
    assert all(isinstance(a, np.ndarray) and a.dtype != object for a in state.values()), "state is not arrays"
    again = make()
    again.restore({name: array.copy() for name, array in state.items()})
    for name, history in cases(data).items():
        found = sources.one(history)
        left, right = model.scores(history, found), again.scores(history, found)
        assert np.array_equal(left, right, equal_nan=True), f"{name}: restored differs"


def check_batch_independence(model: Ranker[Any], data: Dataset, sources: Sources) -> None:
    """A candidate's score does not depend on other shoppers, nor on other candidates of the same."""
    histories = data.histories(np.arange(12))
    together = sources.many(histories)
    scores = model.scores(histories, together)
    for row in (0, 5, 11):
        mine = np.flatnonzero(together.row == row)
        one = replace(together.part(mine), row=np.zeros(len(mine), np.int64))
        alone = model.scores(histories.part(row, row + 1), one)
        np.testing.assert_allclose(alone, scores[mine], rtol=1e-6, err_msg="other shoppers matter")
        half = one.part(np.arange(0, len(mine), 2))
        part = model.scores(histories.part(row, row + 1), half)
        np.testing.assert_allclose(part, scores[mine][::2], rtol=1e-6, err_msg="other candidates matter")


def check_chances(model: Ranker[Any], data: Dataset, sources: Sources) -> None:
    """Chances lie in [0, 1] and never fall while the score rises."""
    histories = data.histories(np.arange(12))
    scores = np.sort(model.scores(histories, sources.many(histories)))
    chances = model.chances(scores)
    told = chances[~np.isnan(chances)]
    assert ((told >= 0) & (told <= 1)).all(), "a chance outside [0, 1]"
    assert (np.diff(told) >= 0).all(), "a higher score has a smaller chance"
    assert np.isnan(model.chances(np.array([np.nan]))).all(), "NaN has a chance"


def cases(data: Dataset) -> dict[str, Histories]:
    """Shoppers that any ranker must cope with."""
    end = data.interactions.end
    return {
        "known": data.histories([3]),
        "idle": data.histories([data.n_customers - 1]),
        "unknown": Histories.single([3, 1, 3], n_products=data.n_products, now=end),
        "empty": Histories.single([], n_products=data.n_products, now=end),
    }
