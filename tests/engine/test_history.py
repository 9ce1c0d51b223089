"""A history cut at a moment holds what was known then, and nothing that became known later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.data.schema import EVENTS, PRODUCTS
from storewise.engine.history import History
from storewise.engine.protocols.shop import ShopByTime

START = datetime(2024, 1, 1, tzinfo=UTC)


def tables(rows: Sequence[tuple[float, str | None, str | None, str, str]]) -> History:
    """Rows of (day, customer, session, product, kind)."""
    frame = pl.DataFrame(
        [
            {
                "event_id": str(place),
                "at": START + timedelta(days=day),
                "customer_id": customer,
                "session_id": session,
                "product_id": product,
                "kind": kind,
                "quantity": 1,
            }
            for place, (day, customer, session, product, kind) in enumerate(sorted(rows, key=lambda r: r[0]))
        ],
        schema_overrides={"customer_id": pl.String, "session_id": pl.String},
    )
    ids = sorted({row[3] for row in rows})
    catalogue = PRODUCTS.conform(pl.DataFrame({"product_id": ids, "title": ids}))
    return History.of_tables(catalogue, EVENTS.conform(frame), name="test")


def bought(data: Dataset) -> list[tuple[str, str]]:
    found = data.interactions
    names = dict(enumerate(data.customer_ids))
    return [
        (names.get(int(c), "anonymous"), data.product_ids[p])
        for c, p in zip(found.customers, found.products, strict=True)
    ]


def test_a_later_return_does_not_reach_back() -> None:
    history = tables(
        [
            (1, "ann", "s1", "cup", "purchase"),
            (2, "bob", "s2", "lamp", "purchase"),
            (50, "ann", "s1", "cup", "return"),
            (60, "ann", "s3", "lamp", "purchase"),
        ]
    )
    early = history.until((START + timedelta(days=30)).timestamp())
    assert bought(early) == [("ann", "cup"), ("bob", "lamp")]
    assert ("ann", "cup") not in bought(history.whole)


def test_customers_keep_their_numbers_at_every_moment() -> None:
    history = tables(
        [
            (1, "zoe", "s1", "cup", "purchase"),
            (2, None, "s2", "cup", "purchase"),
            (2, None, "s4", "lamp", "purchase"),
            (40, "ann", "s3", "lamp", "purchase"),
        ]
    )
    early = history.until((START + timedelta(days=30)).timestamp())
    assert early.customer_ids == history.whole.customer_ids
    assert bought(early) == [("zoe", "cup"), ("anonymous", "cup"), ("anonymous", "lamp")]
    assert early.interactions.customers.tolist() == [1, 2, 3]
    assert early.interactions.n_products == history.whole.n_products


def test_the_shop_asks_for_what_known_customers_buy_next() -> None:
    catalogue = [(day, None, "early", f"p{day:02d}", "purchase") for day in range(10)]
    history = tables(
        [
            *catalogue,
            (20, "ann", "a1", "cup", "purchase"),
            (20, "bob", "b1", "cup", "purchase"),
            (60, "ann", "a2", "lamp", "purchase"),  # validation window: days 44 to 72
            (75, "ann", "a3", "cup", "purchase"),
            (80, "ann", "a4", "rug", "purchase"),
            (90, "new", "n1", "cup", "purchase"),
            (95, None, "x1", "lamp", "purchase"),
            (100, "ann", "a5", "rug", "purchase"),
        ]
    )
    repeats, fresh = ShopByTime("shop").questions_of(history)
    names = history.whole.product_ids
    (with_repeats,), (without,) = list(repeats.folds()), list(fresh.folds())
    assert [history.whole.customer_ids[c] for c in with_repeats.test.histories.customers] == ["ann"]
    assert sorted(names[p] for p in with_repeats.test.relevant.indices) == ["cup", "rug"]
    assert [names[p] for p in without.test.relevant.indices] == ["rug"]
    assert with_repeats.test.seen is None
    assert sorted(names[p] for p in without.test.seen.indices) == ["cup", "lamp"]  # type: ignore[union-attr]
    assert [names[p] for p in with_repeats.test.histories.products] == ["cup", "lamp"]
    assert with_repeats.test.histories.now[0] == (START + timedelta(days=72)).timestamp()
    assert [names[p] for p in repeats.validation.relevant.indices] == ["lamp"]
    assert ("ann", "lamp") not in bought(repeats.train)
    assert max(with_repeats.train.interactions.at) < with_repeats.test.histories.now[0]


def test_nobody_to_ask_is_said() -> None:
    rows = [(day, f"c{day}", f"s{day}", f"p{day % 12:02d}", "purchase") for day in range(100)]
    with pytest.raises(DataError, match="No customer has anything to find"):
        ShopByTime("shop").questions_of(tables(rows))


def test_of_a_dataset_alone() -> None:
    data = Dataset.of([0, 0], [1, 2], at=[5.0, 9.0], n_customers=1, n_products=3)
    assert len(History.of(data).until(9.0).interactions) == 1
    assert np.isclose(History.of(data).until(9.0).watermark, 9.0)
