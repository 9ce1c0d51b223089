"""The dataset: against a slow reference that walks the events one by one."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.shop import ViewConfig, build, dataset
from storewise.data.stores import Store

START = datetime(2011, 1, 1, tzinfo=UTC)


def catalogue(*ids: str) -> pl.DataFrame:
    return PRODUCTS.conform(pl.DataFrame({"product_id": ids, "title": ids, "currency": ["GBP"] * len(ids)}))


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    timed = [{"at": START + timedelta(hours=i), "kind": "purchase", **row} for i, row in enumerate(rows)]
    return EVENTS.conform(pl.DataFrame(timed, schema=EVENTS.schema()))


def test_indices_follow_sorted_ids_and_sessions_come_last() -> None:
    rows = [
        {"customer_id": "zoe", "product_id": "b"},
        {"session_id": "s2", "product_id": "a"},
        {"customer_id": "amy", "product_id": "c"},
        {"session_id": "s1", "product_id": "b"},
        {"session_id": "looks-only", "product_id": "b", "kind": "view"},
        {"product_id": "a"},
    ]
    shop = build(catalogue("c", "a", "b"), frame(rows))
    assert shop.product_ids == ["a", "b", "c"]
    assert list(shop.customer_ids) == ["amy", "zoe"]
    assert shop.n_customers == 4
    found = list(zip(shop.interactions.customers.tolist(), shop.interactions.products.tolist(), strict=True))
    assert found == [(0, 2), (1, 1), (2, 1), (3, 0)]
    assert shop.interactions.at.tolist()[1] == START.timestamp()
    assert shop.currency == "GBP"
    assert shop.extra["events"]["customer"].to_list() == [1, 3, 0, 2, -1, -1]


def test_nothing_later_than_the_watermark_is_inside_and_unknown_products_are_not_either() -> None:
    rows = [{"customer_id": "a", "product_id": "p"}, {"customer_id": "b", "product_id": "gone"}]
    shop = build(catalogue("p"), frame(rows))
    assert len(shop.interactions) == 1
    assert shop.watermark == START.timestamp()


def test_a_session_in_which_one_customer_signed_in_is_theirs() -> None:
    rows = [
        {"session_id": "s", "product_id": "a", "kind": "purchase"},
        {"session_id": "s", "customer_id": "amy", "product_id": "b"},
        {"session_id": "shared", "customer_id": "amy", "product_id": "b"},
        {"session_id": "shared", "customer_id": "bob", "product_id": "b"},
        {"session_id": "shared", "product_id": "c"},
    ]
    shop = build(catalogue("a", "b", "c"), frame(rows))
    mine = shop.interactions.products[shop.interactions.customers == 0].tolist()
    assert mine == [0, 1, 1]
    assert shop.n_customers == 3, "the shared session stays anonymous"
    apart = build(catalogue("a", "b", "c"), frame(rows), view=ViewConfig(merge_sessions=False))
    assert apart.n_customers == 4


def test_ratings_become_values_in_the_order_of_the_interactions() -> None:
    rows = [
        {"customer_id": "b", "product_id": "q", "kind": "rating", "value": 5.0},
        {"customer_id": "a", "product_id": "q", "kind": "rating", "value": 2.0},
        {"customer_id": "a", "product_id": "p", "kind": "rating", "value": 4.0},
    ]
    shop = build(catalogue("p", "q"), frame(rows))
    assert shop.values is not None
    assert shop.values.tolist() == [2.0, 4.0, 5.0]
    assert shop.values.dtype == np.float32
    assert shop.interactions.products.tolist() == [1, 0, 1]


def test_weights_of_kinds_are_taken_and_unknown_kinds_refused() -> None:
    rows = [
        {"customer_id": "a", "product_id": "p", "kind": "view"},
        {"customer_id": "a", "product_id": "p", "kind": "purchase"},
        {"customer_id": "a", "product_id": "p", "kind": "impression"},
    ]
    view = ViewConfig(kinds={"purchase": 1.0, "view": 0.25})
    assert build(catalogue("p"), frame(rows), view=view).interactions.weight.tolist() == [0.25, 1.0]
    with pytest.raises(DataError, match="bought"):
        build(catalogue("p"), frame(rows), view=ViewConfig(kinds={"bought": 1.0}))
    with pytest.raises(DataError, match="no products"):
        build(PRODUCTS.empty(), frame(rows))


def test_an_empty_shop_has_an_empty_dataset() -> None:
    shop = build(catalogue("p"), EVENTS.empty())
    assert (shop.n_customers, shop.n_products, len(shop.interactions)) == (0, 1, 0)


moves = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", None]),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["p", "q"]),
        st.sampled_from(["purchase", "purchase", "return", "view"]),
        st.sampled_from([None, 1, 2, 3]),
    ),
    max_size=25,
)


@given(moves)
@settings(max_examples=200, deadline=None)
def test_returns_take_from_the_newest_purchases(found: list[Any]) -> None:
    names = ("customer_id", "session_id", "product_id", "kind", "quantity")
    rows = [dict(zip(names, row, strict=True)) for row in found]
    given_events = frame(rows)
    view = ViewConfig(merge_sessions=False, kinds={"purchase": 1.0})
    shop = build(catalogue("p", "q"), given_events, view=view)

    stacks: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for place, row in enumerate(rows):
        stack = stacks[
            (f"c{row['customer_id']}" if row["customer_id"] else row["session_id"], row["product_id"])
        ]
        left = row["quantity"] or 1
        if row["kind"] == "purchase":
            stack.append([place, left])
        while row["kind"] == "return" and left and stack:
            taken = min(left, stack[-1][1])
            stack[-1][1] -= taken
            left -= taken
            if not stack[-1][1]:
                stack.pop()
    kept = sorted(given_events["at"][place].timestamp() for stack in stacks.values() for place, _ in stack)
    assert sorted(shop.interactions.at.tolist()) == kept


def test_the_store_gives_the_same_up_to_a_watermark(tmp_path: Path) -> None:
    rows = [{"event_id": f"e{i}", "customer_id": f"c{i % 2}", "product_id": "p"} for i in range(6)]
    with Store.open(tmp_path / "corner-shop") as store:
        store.ingest(ShopTables(catalogue("p"), frame(rows[:4])), "test")
        store.append_events(frame(rows)[4:])
        whole = dataset(store)
        until = START + timedelta(hours=3)
        past = dataset(store, until=until.replace(tzinfo=None))
    assert (whole.name, len(whole.interactions), len(past.interactions)) == ("corner-shop", 6, 3)
    assert past.watermark == until.timestamp()
    cut = whole.until(until.timestamp())
    assert past.interactions.at.tolist() == cut.interactions.at.tolist()
    assert past.interactions.customers.tolist() == cut.interactions.customers.tolist()
