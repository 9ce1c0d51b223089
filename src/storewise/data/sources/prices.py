"""The regular price of a product, out of what its lines paid."""

from __future__ import annotations

import polars as pl

RECENT = pl.duration(days=90)


def regular_prices(sales: pl.DataFrame) -> pl.DataFrame:
    """The latest regular price of each product: product_id, price_minor.

    The price on most lines of the last 90 days in which the product sold (counted back from its own last
    sale), so that neither a quantity discount nor one odd line decides; of two equally frequent prices the
    later used. Every price paid stays on its event.

    Args:
        sales: product_id, at, unit_price_minor (> 0).

    >>> from datetime import datetime
    >>> days = [datetime(2011, 1, 1), datetime(2011, 6, 1), datetime(2011, 6, 2), datetime(2011, 6, 3)]
    >>> prices = {"product_id": ["A"] * 4, "at": days, "unit_price_minor": [100, 120, 120, 95]}
    >>> regular_prices(pl.DataFrame(prices)).rows()
    [('A', 120)]
    """
    last = pl.col("at").max().over("product_id")
    recent = sales.select("product_id", "at", "unit_price_minor").filter(pl.col("at") >= last - RECENT)
    used = recent.group_by("product_id", "unit_price_minor").agg(pl.len(), pl.col("at").max())
    ranked = used.sort("product_id", "len", "at", "unit_price_minor", descending=[False, True, True, False])
    best = ranked.group_by("product_id", maintain_order=True).first()
    return best.select("product_id", price_minor=pl.col("unit_price_minor"))
