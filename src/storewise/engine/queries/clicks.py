"""What shoppers clicked, put into a cart or bought for a query, as the shop's events say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.recommend.search.analyser import normal

KINDS = ("click", "cart", "purchase")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clicks:
    """``queries`` (c,) numbers of ``words``, ``products`` (c,) indices, ``at`` (c,) seconds, ``who`` (c,) number of the
    customer (of the session, where there is none): one shopper counts once for a query and a product."""

    queries: Ints
    products: Ints
    at: npt.NDArray[np.float64]
    words: list[str]
    who: Ints

    def __len__(self) -> int:
        return len(self.queries)

    def before(self, moment: float) -> Clicks:
        """Those strictly before ``moment``, over the same words."""
        return self.rows(self.at < moment)

    def since(self, moment: float) -> Clicks:
        """Those at ``moment`` or later, over the same words."""
        return self.rows(self.at >= moment)

    def rows(self, kept: npt.NDArray[np.bool_]) -> Clicks:
        """Those of a mask (c,)."""
        return Clicks(self.queries[kept], self.products[kept], self.at[kept], self.words, self.who[kept])


def query_clicks(shop: Path) -> Clicks | None:
    """Of an ingested shop; None where no click, cart or purchase names a query.

    Raises:
        StoreError: when the folder holds no shop.
    """
    from storewise.data.stores import Store

    with Store.open(shop, create=False) as store:
        products, events = store.products().sort("product_id"), store.events()
    return clicks_of(products["product_id"].to_list(), events)


def clicks_of(product_ids: list[str], events: pl.DataFrame) -> Clicks | None:
    """Of conforming events, in the indices of ``product_ids``; products that are not there fall out."""
    index = pl.DataFrame(
        {"product_id": product_ids, "product": np.arange(len(product_ids))},
        schema={"product_id": pl.String, "product": pl.Int64},
    )
    told = (
        events.filter(pl.col("query").is_not_null(), pl.col("kind").cast(pl.String).is_in(KINDS))
        .with_row_index("row")
        .join(index, on="product_id", how="inner", maintain_order="left")
    )
    texts = [normal_query(text) for text in told["query"].to_list()]
    told = told.with_columns(pl.Series("words", texts, dtype=pl.String)).filter(pl.col("words") != "")
    if not told.height:
        return None
    words, numbers = np.unique(told["words"].to_numpy().astype(str), return_inverse=True)
    return Clicks(
        numbers.ravel().astype(np.int64), told["product"].to_numpy().astype(np.int64),
        (told["at"].dt.epoch("us") / 1e6).to_numpy(), words.tolist(), shoppers(told),
    )  # fmt: skip


def shoppers(events: pl.DataFrame) -> Ints:
    """(n,) number of the customer, else of the session; an event that names neither is somebody's own."""
    name = pl.coalesce(
        pl.lit("c:") + pl.col("customer_id"),
        pl.lit("s:") + pl.col("session_id"),
        pl.lit("e:") + pl.col("row").cast(pl.String),
    )
    names = events.select(name.alias("who"))["who"].to_numpy().astype(str)
    return np.unique(names, return_inverse=True)[1].ravel().astype(np.int64)


def normal_query(text: str) -> str:
    """As search reads it (NFKC, lower case, no accents), with single spaces.

    >>> normal_query("  Café   Lámp ")
    'cafe lamp'
    """
    return " ".join(normal(text).split())
