"""A shop's history as it stood at any past moment, for honest splits by time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions


@dataclass(frozen=True)
class History:
    """``whole``: everything. ``until(moment)``: what could be known strictly before ``moment`` (seconds), over
    the same customers and products; a purchase that was returned later still counts there."""

    whole: Dataset
    until: Callable[[float], Dataset]

    @classmethod
    def of(cls, dataset: Dataset) -> History:
        """Of a dataset alone: its rows, cut by time."""
        return cls(dataset, dataset.until)

    @classmethod
    def of_tables(cls, products: pl.DataFrame, events: pl.DataFrame, *, name: str) -> History:
        """Of a shop's conforming tables (``events`` in time order)."""
        from storewise.data.shop import build, needed

        events = needed(events)  # every cut copies what it keeps
        whole = build(products, events, name=name)

        def until(moment: float) -> Dataset:
            at = datetime.fromtimestamp(moment, UTC)
            return _over_the_same_customers(
                build(products, _known_before(events, at), until=at, name=name), whole
            )

        return cls(whole, until)


def _known_before(events: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """What happened before and was known by then: an order that came late was not."""
    past = pl.col("at") < at
    if "known_at" in events.columns and events["known_at"].null_count() < events.height:
        past &= pl.col("known_at").is_null() | (pl.col("known_at") < at)
    return events.filter(past)


def _over_the_same_customers(part: Dataset, whole: Dataset) -> Dataset:
    """Renumber the customers of an earlier view; its anonymous sessions keep places behind the known."""
    known = [whole.customer_index[name] for name in part.customer_ids]
    sessions = part.n_customers - len(known)
    index = np.concatenate([known, len(whole.customer_ids) + np.arange(sessions)]).astype(np.int32)
    size = max(whole.n_customers, len(whole.customer_ids) + sessions)
    old = part.interactions
    order = np.lexsort((old.at, index[old.customers]))
    moved = Interactions.build(
        index[old.customers][order],
        old.products[order],
        at=old.at[order],
        weight=old.weight[order],
        n_customers=size,
        n_products=old.n_products,
        ordered=old.ordered,
    )
    values = None if part.values is None else part.values[order]
    extra = dict(part.extra)
    if "events" in extra:
        codes = extra["events"]["customer"].to_numpy()
        extra["events"] = extra["events"].with_columns(
            pl.Series("customer", np.where(codes >= 0, index[np.maximum(codes, 0)], -1), dtype=pl.Int32)
        )
    return replace(part, customer_ids=whole.customer_ids, interactions=moved, values=values, extra=extra)


def read_history(path: Path | None) -> History:
    """The history of an ingested shop's folder, or of one of MovieLens ratings (``u.data``); None or a raw file: the
    embedded data's own loader.

    Raises:
        StoreError: when the folder holds no shop.
        DataError: when the file cannot be read.
    """
    from storewise.data.sources import DEFAULT, load_source

    if path is not None and (path / "u.data").is_file():
        rated = load_source("movielens", path)
        return History.of_tables(rated.products, rated.events.sort("at", maintain_order=True), name=path.name)
    if path is not None and path.is_dir():
        from storewise.data.stores import Store

        with Store.open(path, create=False) as store:
            return History.of_tables(store.products(), store.events(), name=path.name)
    tables = load_source(DEFAULT, path)
    return History.of_tables(tables.products, tables.events.sort("at", maintain_order=True), name=DEFAULT)
