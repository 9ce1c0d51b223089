"""What predictions read while serving, also of shops that name no sessions."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from storewise.data.schema import EVENTS, PRODUCTS
from storewise.data.shop import build
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.event_log import serving_log


@pytest.mark.parametrize("sessions", [[None, None, None], ["s", None, None], ["s", "s", "t"]])
def test_events_with_and_without_sessions(sessions: list[str | None]) -> None:
    at = [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 2, 3)]
    products = PRODUCTS.conform(pl.DataFrame({"product_id": ["a", "b"], "title": ["A", "B"]}))
    events = EVENTS.conform(
        pl.DataFrame(
            {"at": at, "customer_id": ["x", "y", "x"], "session_id": sessions, "product_id": ["a", "b", "b"],
             "kind": ["purchase"] * 3},
            schema_overrides={"session_id": pl.String},
        )
    )  # fmt: skip
    shop = build(products, events, name="shop")
    customers = {name: number for number, name in enumerate(shop.customer_ids)}
    log, named = serving_log(shop, Catalogue.of(products), customers, at[-1].timestamp())
    assert sorted(log.products.tolist()) == [0, 1, 1]
    assert set(named) == {name for name in sessions if name is not None}
