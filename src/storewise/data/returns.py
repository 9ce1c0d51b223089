"""Purchases net of returns."""

from __future__ import annotations

import polars as pl

_PAIR = ["customer", "product"]


def net_of_returns(events: pl.DataFrame, positive: pl.DataFrame) -> pl.DataFrame:
    """``positive`` without the purchases that were returned in full.

    Both frames are in time order with customer and product (indices), kind and quantity (null counts as 1);
    ``events`` holds at least the purchases of ``positive`` and the returns. A return takes from the
    shopper's newest purchase of the product before it, then from older ones; what exceeds them is ignored. A
    purchase returned in part stays.
    """
    returned = events.filter(pl.col("kind") == "return").select(_PAIR).unique()
    gone = _fully_returned(_moves(events, returned))
    if not gone.height:
        return positive
    bought = positive.select(*_PAIR, "kind", pl.int_range(pl.len()).alias("place")).filter(
        pl.col("kind") == "purchase"
    )
    touched = bought.join(gone, on=_PAIR, how="semi", maintain_order="left").with_columns(_number())
    dropped = touched.join(gone, on=[*_PAIR, "number"], how="semi")["place"]
    return positive.filter(~pl.int_range(pl.len()).is_in(dropped.implode()))


def _number() -> pl.Expr:
    """The purchase's number among the shopper's purchases of the product."""
    return pl.int_range(pl.len()).over(_PAIR).alias("number")


def _moves(events: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Purchases and returns of the pairs that have a return, as signed quantities in time order."""
    traded = events.filter(pl.col("kind").is_in(["purchase", "return"]) & (pl.col("customer") >= 0))
    quantity = pl.col("quantity").fill_null(1).cast(pl.Int64)
    return traded.join(pairs, on=_PAIR, how="semi", maintain_order="left").select(
        *_PAIR, pl.when(pl.col("kind") == "purchase").then(quantity).otherwise(-quantity).alias("move")
    )


def _fully_returned(moves: pl.DataFrame) -> pl.DataFrame:
    """(customer, product, number) of the purchases of which nothing is left.

    Goods at home are a stack that never goes below zero: with S the running sum of moves, its height is
    H = S - min(0, running minimum of S). Of the units that purchase k put between H[k] - q and H[k], those
    stay that lie below every later height; so nothing stays when min(H[k:]) <= H[k] - q.
    """
    total = pl.col("move").cum_sum().over(_PAIR)
    heights = moves.with_columns(total.alias("total")).with_columns(
        (pl.col("total") - pl.min_horizontal(pl.lit(0), pl.col("total").cum_min().over(_PAIR))).alias(
            "height"
        )
    )
    lowest = pl.col("height").cum_min(reverse=True).over(_PAIR)
    return (
        heights.with_columns(lowest.alias("lowest"))
        .filter(pl.col("move") > 0)
        .with_columns(_number())
        .filter(pl.col("lowest") <= pl.col("height") - pl.col("move"))
        .select(*_PAIR, "number")
    )
