"""Search learned from clicks, on simulated shops whose shoppers are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from storewise.core.artifact import Artifact
from storewise.core.errors import DataError
from storewise.core.progress import Silent
from storewise.data.privacy import Pseudonyms
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.stores import Store
from storewise.engine.history import History
from storewise.engine.published import point_to
from storewise.engine.queries.episodes import episodes_of
from storewise.engine.queries.lessons import SearchChoice, choose_blend
from storewise.engine.search import Query, payload, search
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.search_index import searcher_of
from storewise.recommend.search.learned import PRIORS, TERMS
from storewise.testing import small_shop

COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "brown", "gold", "silver")
THINGS = ("lamp", "chair", "table", "vase", "clock", "mirror", "basket", "candle")
BRANDS = ("Acorn", "Birch", "Cedar")
LIKED = "Cedar"
START = datetime(2024, 1, 1, tzinfo=UTC)


def catalogue() -> pl.DataFrame:
    rows = [
        {"product_id": f"p{i:03}", "title": f"{colour} {thing}", "brand": brand}
        for i, (colour, thing, brand) in enumerate(product(COLOURS, THINGS, BRANDS))
    ]
    return PRODUCTS.conform(pl.DataFrame(rows))


def shop_of(*, liking: float, positions: bool, searches: int = 500, seed: int = 3) -> pl.DataFrame:
    """Three products answer each query. A shopper looks at the k-th with probability 1, .7, .5 (where positions are told;
    at all of them elsewhere) and clicks the liked brand with ``liking``, others with .2."""
    rng = np.random.default_rng(seed)
    pairs = list(product(range(len(COLOURS)), range(len(THINGS))))
    events: list[dict[str, Any]] = []
    for i in range(searches):
        colour, thing = pairs[int(rng.integers(len(pairs)))]
        words = [COLOURS[colour], THINGS[thing]]
        query = " ".join(words if rng.random() < 0.5 else words[::-1])
        first = (colour * len(THINGS) + thing) * len(BRANDS)
        at = START + timedelta(hours=6 * i)
        for place, brand in enumerate(BRANDS):
            about = {"at": at, "session_id": f"s{i}", "product_id": f"p{first + place:03}", "query": query}
            looked = rng.random() < ((1.0, 0.7, 0.5)[place] if positions else 1.0)
            if positions:
                events.append(about | {"kind": "impression", "position": place})
            if looked and rng.random() < (liking if brand == LIKED else 0.2):
                events.append(about | {"kind": "click", "position": None})
    return EVENTS.conform(
        pl.DataFrame(events).with_columns(pl.int_range(pl.len()).cast(pl.String).alias("event_id"))
    )


def choice_of(events: pl.DataFrame) -> tuple[SearchChoice, History]:
    history = History.of_tables(catalogue(), events.sort("at", maintain_order=True), name="simulated")
    return choose_blend(history.whole, history, events, None, seed=0, progress=Silent()), history


@pytest.mark.parametrize("positions", [True, False])
def test_a_liked_brand_is_learned_and_ranks_first(positions: bool) -> None:
    choice, history = choice_of(shop_of(liking=0.8, positions=positions))
    assert choice.facts["served"] == "learned", choice.facts["reason"]
    assert choice.facts["positions"] is positions
    assert choice.facts["metrics"]["ndcg@10"]["gained"]["low"] > 0
    assert choice.blend is not None
    shelf = Catalogue.of(history.whole.products)
    artifact = choice.artifact({})["search_blend"]
    plain, learned = searcher_of(None, shelf, None), searcher_of(None, shelf, None, blend=artifact)
    words = [f"{colour} {thing}" for colour, thing in product(COLOURS[:4], THINGS[:4])]
    brands = shelf.frame["brand"].to_list()
    first = [[brands[search(query).hits[0].product] for query in words] for search in (plain, learned)]
    assert first[0].count(LIKED) == 0  # equal words: the first in the catalogue
    assert first[1].count(LIKED) >= 14
    found = [{hit.product for hit in search("red lamp", 500).hits} for search in (plain, learned)]
    assert found[0] == found[1]


@pytest.mark.parametrize(("positions", "seed"), [(True, 3), (False, 3), (True, 4), (False, 4)])
def test_clicks_that_are_noise_change_nothing(positions: bool, seed: int) -> None:
    choice, _ = choice_of(shop_of(liking=0.2, positions=positions, searches=800, seed=seed))
    assert choice.facts["served"] == "default"
    assert "is not better" in choice.facts["reason"]
    assert choice.blend is None
    assert choice.artifact({}) == {}


def test_too_few_queries_and_none_are_said() -> None:
    few, _ = choice_of(shop_of(liking=0.8, positions=True, searches=40))
    assert "100 and 50 are needed" in few.facts["reason"]
    none, _ = choice_of(shop_of(liking=0.8, positions=True).with_columns(pl.lit(None).alias("query")))
    assert none.facts == {"served": "default", "reason": "no click, cart or purchase names a query"}


def test_the_last_quarter_teaches_nothing_that_is_compared() -> None:
    """Other clicks after the border change the figures, not the weights that are compared."""
    events = shop_of(liking=0.2, positions=False, searches=800)
    border = episodes_of(catalogue()["product_id"].to_list(), events)
    cut = datetime.fromtimestamp(border[int(0.75 * (len(border) - 1))].at, UTC)
    # Whoever clicks after the border clicks the first brand of the same three instead.
    number = pl.col("product_id").str.slice(1).cast(pl.Int64)
    moved = pl.format("p{}", (number // 3 * 3).cast(pl.String).str.zfill(3))
    changed = events.with_columns(
        pl.when(pl.col("at") >= cut).then(moved).otherwise(pl.col("product_id")).alias("product_id")
    )
    before, after = choice_of(events)[0].facts, choice_of(changed)[0].facts
    assert before["weights"] == after["weights"]
    assert before["metrics"] != after["metrics"]


def test_passed_over_is_above_a_click_or_next_below() -> None:
    rows = [{"kind": "impression", "product_id": f"p00{i}", "position": i} for i in range(5)]
    rows += [{"kind": "click", "product_id": "p002", "position": None}]
    about = {"at": START, "session_id": "s", "query": "Lamp"}
    events = EVENTS.conform(pl.DataFrame([about | row | {"event_id": str(i)} for i, row in enumerate(rows)]))
    (one,) = episodes_of([f"p00{i}" for i in range(5)], events)
    assert one.query == "lamp"
    assert one.passed == ((2, 0), (2, 1), (2, 3))
    assert episodes_of([f"p00{i}" for i in range(5)], events.filter(pl.col("kind") == "impression")) == []


def test_weights_are_named_and_a_blend_of_another_catalogue_is_refused() -> None:
    choice, history = choice_of(shop_of(liking=0.8, positions=False))
    assert choice.blend is not None
    assert set(choice.facts["weights"]) == {*TERMS, *PRIORS}
    assert choice.blend.named()["brand"] > 0
    short = Artifact("b", {}, replace(choice.blend, priors=choice.blend.priors[:5]).state())
    with pytest.raises(DataError, match="knows 5 products"):
        searcher_of(None, Catalogue.of(history.whole.products), None, blend=short)


def test_training_serves_it_and_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        tables = ShopTables(catalogue(), shop_of(liking=0.8, positions=True))
        store.ingest(Pseudonyms.of(tmp_path, create=True).tables(tables), "simulated")
        manifest = small_shop.train_on(store)
        point_to(tmp_path, manifest.id)
    told = manifest.evaluation["search"]
    assert told["served"] == "learned"
    assert "search_blend" in manifest.artifacts
    service = small_shop.open_service(tmp_path)
    service.start()
    try:
        snapshot = service.current()
        items = payload(search(snapshot, Query("red lamp")))["items"]
    finally:
        service.close()
    assert snapshot.searcher.learned is not None
    assert snapshot.searcher.learned.named() == told["weights"]
    assert items[0]["brand"] == LIKED
    assert items[0]["reason"]["kind"] == "words"
