"""What made the lists that shoppers saw: their impressions and clicks, joined with the decision log."""

from __future__ import annotations

import polars as pl

LISTED = ("impression", "click")
SHOWN_FOR = "1h"  # a list counts as seen within this time after it was served
_FILLED = ("slot", "position")


def with_sources(events: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Events (in time order) with a column ``source``: what put the product into the latest list that was served to
    the same customer or session within the hour before, null elsewhere. Slot and position come from that list where
    an event names none; a list of another slot is not the one.

    ``decisions``: as the store logs them, ``items`` JSON. Without a decision, or an event of a product in a list, the
    events stay as they are.
    """
    told = events["kind"].cast(pl.String).is_in(LISTED)
    if not decisions.height or not told.any():
        return events
    items = _items(decisions)
    numbered = events.with_row_index("row")
    asked = numbered.filter(told).select("row", "at", "customer_id", "session_id", "product_id", *_FILLED)
    found = [_latest(asked, items, who) for who in ("customer_id", "session_id")]
    seen = pl.concat(found).sort("served", descending=True).unique("row", keep="first", maintain_order=True)
    joined = numbered.join(seen.drop("served"), on="row", how="left", maintain_order="left")
    filled = [pl.coalesce(name, f"list_{name}").alias(name) for name in _FILLED]
    return joined.with_columns(filled).select(*events.columns, "source")


def _items(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row an item of a served list, in time order."""
    item = pl.List(pl.Struct({"product_id": pl.String, "position": pl.Int32, "source": pl.String}))
    return (
        decisions.select(
            pl.col("at").alias("served"), "customer_id", "session_id", pl.col("slot").alias("list_slot"),
            pl.col("items").str.json_decode(item).alias("item"),
        )
        .explode("item")
        .unnest("item")
        .rename({"position": "list_position"})
        .sort("served", maintain_order=True)
    )  # fmt: skip


def _latest(asked: pl.DataFrame, items: pl.DataFrame, who: str) -> pl.DataFrame:
    """row, served, source, list_slot and list_position of those that a list of the shopper explains."""
    by = [who, "product_id"]
    known = items.filter(pl.col(who).is_not_null()).select(
        *by, "served", "source", "list_slot", "list_position"
    )
    mine = asked.filter(pl.col(who).is_not_null())
    joined = mine.join_asof(
        known,
        left_on="at",
        right_on="served",
        by=by,
        strategy="backward",
        tolerance=SHOWN_FOR,
        check_sortedness=False,
    )
    same = pl.col("slot").is_null() | (pl.col("slot") == pl.col("list_slot"))
    return joined.filter(pl.col("served").is_not_null() & same).select(
        "row", "served", "source", "list_slot", "list_position"
    )
