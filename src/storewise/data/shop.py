"""From a shop's tables to the dataset that models train on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.clock import seconds
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.data.returns import net_of_returns
from storewise.data.schema import EVENT_KIND
from storewise.data.stores import Store

_OF_LISTS = (
    "slot",
    "position",
    "source",
    "known_at",
)  # what an event may say of the list it was part of, and when
_BY_STRENGTH = ("purchase", "rating", "cart", "click", "view")


class ViewConfig(Config):
    """What counts as positive behaviour.

    ``kinds``: the weight of each kind of event that counts; by default the strongest kind the shop has, in
    the order purchase, rating, cart, click, view. ``net_returns``: a purchase that was returned in full does
    not count. ``merge_sessions``: events of a session in which just one customer ever signed in are theirs.
    """

    kinds: Mapping[str, float] | None = None
    net_returns: bool = True
    merge_sessions: bool = True


def dataset(store: Store, *, until: datetime | None = None, view: ViewConfig | None = None) -> Dataset:
    """The shop strictly before ``until`` (all of it by default).

    Product indices follow the sorted product ids of the whole catalogue. Customer indices follow the sorted
    pseudonyms of customers with any event; after them come the anonymous sessions with any event of a kind
    that counts, by sorted session id. Events of products the catalogue does not know are left out. ``values`` holds
    ratings when ratings are what counts. ``extra["events"]``: all events as integers (customer, product,
    kind, at in seconds, quantity, unit_price_minor), customer -1 for any other session. ``customer`` is who it
    was as known at the end; who it was as known at any moment before follows from ``signed`` (the event itself
    names the customer) and ``session`` (an index of all sessions by sorted id, -1 for none), see
    :mod:`storewise.data.identities`. Where events have them also ``slot``, ``position``, ``source`` and
    ``known`` (seconds: when the shop learned of an event that came late). ``extra["sessions"]``: session ids by index.

    Raises:
        DataError: when the store has no products, or ``kinds`` names an unknown kind.
    """
    return build(store.products(), store.events(until=until), until=until, view=view, name=store.folder.name)


def build(
    products: pl.DataFrame,
    events: pl.DataFrame,
    *,
    until: datetime | None = None,
    view: ViewConfig | None = None,
    name: str = "shop",
) -> Dataset:
    """The same from conforming frames (``schema.PRODUCTS``, ``schema.EVENTS`` in time order).

    >>> from storewise.data.schema import EVENTS, PRODUCTS
    >>> cup = PRODUCTS.conform(pl.DataFrame({"product_id": ["cup"], "title": ["Cup"]}))
    >>> row = {"at": datetime(2011, 1, 1), "customer_id": "c", "product_id": "cup", "kind": "purchase"}
    >>> shop = build(cup, EVENTS.conform(pl.DataFrame([row])))
    >>> shop.n_customers, shop.interactions.products.tolist()
    (1, [0])
    """
    view = view or ViewConfig()
    if not products.height:
        raise DataError(
            "The shop has no products.", next_step="Ingest them: storewise ingest --products FILE."
        )
    catalogue = products.sort("product_id")
    numbered = _with_products(events, catalogue).with_columns(
        pl.col("customer_id").is_not_null().alias("signed")
    )
    if view.merge_sessions:
        numbered = _merge_sessions(numbered)
    kinds = _kinds(view, numbered)
    counts = pl.col("kind").is_in(pl.Series(list(kinds), dtype=EVENT_KIND).implode())
    customers, shoppers = _index_shoppers(numbered, numbered.filter(counts))
    sessions = numbered["session_id"].drop_nulls().unique().sort()
    encoded = _encode(numbered, shoppers, sessions)
    positive = encoded.filter(counts & (pl.col("customer") >= 0))
    if view.net_returns and "purchase" in kinds:
        positive = net_of_returns(encoded, positive)
    interactions, values = _interactions(positive, kinds, shoppers.height, catalogue.height)
    end = float(encoded["at"].max() or 0.0)  # type: ignore[arg-type]
    return Dataset(
        catalogue,
        customers,
        interactions,
        values,
        watermark=end if until is None else seconds(until),
        name=name,
        currency=_currency(catalogue, events),
        extra={"events": encoded.drop("value"), "sessions": sessions.to_frame("session_id")},
    )


def _with_products(events: pl.DataFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """The events of known products, with the product's index; ids stay for the next steps."""
    index = catalogue.select("product_id", pl.int_range(pl.len(), dtype=pl.Int32).alias("product"))
    wanted = [
        "at",
        "customer_id",
        "session_id",
        "product_id",
        "kind",
        "quantity",
        "unit_price_minor",
        "value",
    ]
    told = [
        name for name in _OF_LISTS if name in events.columns and events[name].null_count() < events.height
    ]
    found = events.select(wanted + told).join(index, on="product_id", how="left", maintain_order="left")
    return found.filter(pl.col("product").is_not_null()).drop("product_id")


def _merge_sessions(events: pl.DataFrame) -> pl.DataFrame:
    """Give the anonymous events of a session to the one customer who signed in during it."""
    anonymous = events["customer_id"].is_null() & events["session_id"].is_not_null()
    if not anonymous.any():
        return events
    owners = (
        events.lazy()
        .filter(pl.col("session_id").is_not_null() & pl.col("customer_id").is_not_null())
        .select("session_id", "customer_id")
        .unique()
        .group_by("session_id")
        .agg(pl.len().alias("owners"), pl.col("customer_id").first().alias("owner"))
        .filter(pl.col("owners") == 1)
        .select("session_id", "owner")
        .collect()
    )
    if not events.filter(anonymous)["session_id"].unique().is_in(owners["session_id"].implode()).any():
        return events
    return (
        events.join(owners, on="session_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("customer_id", "owner").alias("customer_id"))
        .drop("owner")
    )


def _kinds(view: ViewConfig, events: pl.DataFrame) -> dict[str, float]:
    known = set(EVENT_KIND.categories.to_list())
    if view.kinds is not None:
        unknown = sorted(set(view.kinds) - known)
        if unknown or not view.kinds:
            raise DataError(
                f"Kinds of events {unknown} cannot count as behaviour.",
                next_step=f"Choose among {', '.join(sorted(known))}.",
            )
        return dict(view.kinds)
    present = set(events["kind"].unique().cast(pl.String).to_list())
    return {next((kind for kind in _BY_STRENGTH if kind in present), "purchase"): 1.0}


def _index_shoppers(events: pl.DataFrame, positive: pl.DataFrame) -> tuple[list[str], pl.DataFrame]:
    """Pseudonyms of known customers, and the index of every (customer or session)."""
    customers = events["customer_id"].drop_nulls().unique().sort()
    anonymous = positive.filter(pl.col("customer_id").is_null())["session_id"].drop_nulls().unique().sort()
    shoppers = pl.concat(
        [
            pl.DataFrame({"shopper": customers, "known": True}, schema={"shopper": pl.String, "known": bool}),
            pl.DataFrame(
                {"shopper": anonymous, "known": False}, schema={"shopper": pl.String, "known": bool}
            ),
        ]
    )
    index = shoppers.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias("customer"))
    return customers.to_list(), index


def _encode(events: pl.DataFrame, shoppers: pl.DataFrame, sessions: pl.Series) -> pl.DataFrame:
    numbers = pl.DataFrame(
        {"session_id": sessions, "session": pl.int_range(len(sessions), dtype=pl.Int32, eager=True)}
    )
    lists = [name for name in ("slot", "position", "source") if name in events.columns]
    late = [(pl.col("known_at").dt.epoch("us") / 1e6).alias("known")] if "known_at" in events.columns else []
    return (
        events.join(numbers, on="session_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("customer_id", "session_id").alias("shopper"),
            pl.col("customer_id").is_not_null().alias("known"),
        )
        .join(shoppers, on=["shopper", "known"], how="left", maintain_order="left")
        .select(
            pl.col("customer").fill_null(-1),
            "product",
            "kind",
            (pl.col("at").dt.epoch("us") / 1e6).alias("at"),
            "quantity",
            "unit_price_minor",
            "value",
            "signed",
            pl.col("session").fill_null(-1),
            *lists,
            *late,
        )
    )


def _interactions(
    positive: pl.DataFrame, kinds: Mapping[str, float], n_customers: int, n_products: int
) -> tuple[Interactions, npt.NDArray[np.float32] | None]:
    """Interactions and, when ratings count, the rating of each."""
    weight = positive["kind"].cast(pl.String).replace_strict(list(kinds), list(kinds.values()), default=0.0)
    if "rating" in kinds:
        # In the order that Interactions has, so that ratings need no sorting of their own.
        order = np.lexsort((positive["at"].to_numpy(), positive["customer"].to_numpy()))
        positive, weight = positive[order], weight[order]
    interactions = Interactions.build(
        positive["customer"].to_numpy(),
        positive["product"].to_numpy(),
        at=positive["at"].to_numpy(),
        weight=weight.to_numpy(),
        n_customers=n_customers,
        n_products=n_products,
    )
    values = positive["value"].fill_null(float("nan")).to_numpy() if "rating" in kinds else None
    return interactions, values


def _currency(catalogue: pl.DataFrame, events: pl.DataFrame) -> str | None:
    found = catalogue["currency"].drop_nulls()
    if not len(found):
        found = events["currency"].drop_nulls()
    return str(found[0]) if len(found) else None
