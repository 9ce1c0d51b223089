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
from storewise.data.identities import Owners
from storewise.data.interactions import Interactions
from storewise.data.returns import net_of_returns
from storewise.data.schema import EVENT_KIND
from storewise.data.stores import Store

# What an event may say of the list it was part of, and of when it was known.
_OF_LISTS = ("slot", "position", "source", "known_at")
_NEEDED = ("at", "customer_id", "session_id", "product_id", "kind", "quantity", "unit_price_minor", "value")
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
    numbered = _with_products(events, catalogue)
    kinds = _kinds(view, numbered)
    counts = pl.col("kind").is_in(pl.Series(list(kinds), dtype=EVENT_KIND).implode())
    customers, own = _codes(numbered["customer_id"])
    sessions, session = _codes(numbered["session_id"])
    numbered = numbered.drop("customer_id", "session_id")  # text is most of the memory
    at = numbered["at"].dt.epoch("us").to_numpy() / 1e6
    who = _with_owners(own, session, at, len(sessions)) if view.merge_sessions else own
    visits = np.unique(session[numbered.select(counts).to_series().to_numpy() & (who < 0) & (session >= 0)])
    visitor = np.full(len(sessions) + 1, -1, np.int32)  # -1 stays -1
    visitor[visits] = len(customers) + np.arange(len(visits))
    encoded = _encode(numbered, np.where(who >= 0, who, visitor[session]), own >= 0, session, at)
    positive = encoded.filter(counts & (pl.col("customer") >= 0))
    if view.net_returns and "purchase" in kinds:
        positive = net_of_returns(encoded, positive)
    interactions, values = _interactions(positive, kinds, len(customers) + len(visits), catalogue.height)
    end = float(encoded["at"].max() or 0.0)  # type: ignore[arg-type]
    return Dataset(
        catalogue,
        customers.to_list(),
        interactions,
        values,
        watermark=end if until is None else seconds(until),
        name=name,
        currency=_currency(catalogue, events),
        extra={"events": encoded.drop("value"), "sessions": sessions.to_frame("session_id")},
    )


def needed(events: pl.DataFrame) -> pl.DataFrame:
    """The columns that :func:`build` reads, without lists and times of which no event says anything."""
    told = [
        name for name in _OF_LISTS if name in events.columns and events[name].null_count() < events.height
    ]
    return events.select(*_NEEDED, *told, *(name for name in ("currency",) if name in events.columns))


def _with_products(events: pl.DataFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """The events of known products, with the product's index; ids stay for the next steps."""
    index = catalogue.select("product_id", pl.int_range(pl.len(), dtype=pl.Int32).alias("product"))
    found = needed(events).drop("currency", strict=False)
    found = found.join(index, on="product_id", how="left", maintain_order="left").drop("product_id")
    return found.filter(pl.col("product").is_not_null()) if found["product"].null_count() else found


def _codes(ids: pl.Series) -> tuple[pl.Series, npt.NDArray[np.int32]]:
    """The different ids, sorted, and the place of each row's among them, -1 for none."""
    names = ids.drop_nulls().unique().sort()
    if not len(names):
        return names, np.full(len(ids), -1, np.int32)
    return names, ids.cast(pl.Enum(names)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()


def _with_owners(
    own: npt.NDArray[np.int32], session: npt.NDArray[np.int32], at: npt.NDArray[np.float64], n: int
) -> npt.NDArray[np.int32]:
    """Whose events are as known at the end: anonymous ones are the customer's who alone signed in during the session."""
    signed = (own >= 0) & (session >= 0)
    owners = Owners.of(session[signed], own[signed], at[signed], n_sessions=n)
    return np.where(own >= 0, own, owners.at(session, np.full(len(session), np.inf))).astype(np.int32)


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


def _encode(
    events: pl.DataFrame, customer: npt.NDArray[np.int32], signed: npt.NDArray[np.bool_],
    session: npt.NDArray[np.int32], at: npt.NDArray[np.float64],
) -> pl.DataFrame:  # fmt: skip
    lists = [name for name in ("slot", "position", "source") if name in events.columns]
    late = [(pl.col("known_at").dt.epoch("us") / 1e6).alias("known")] if "known_at" in events.columns else []
    return events.select(
        pl.Series("customer", customer), "product", "kind", pl.Series("at", at), "quantity", "unit_price_minor",
        "value", pl.Series("signed", signed), pl.Series("session", session), *lists, *late,
    )  # fmt: skip


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
