"""All that shoppers did, with whose it was at every moment; trails are cut from it.

An event counts for an actor (a customer, or an anonymous session) at the moments in (known, until]: an anonymous
event is its session's until somebody signs in, then that customer's, and at any moment exactly one actor's. A moment's
features are made of the rows that hold at it, so that neither a later event nor a later sign-in can change them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.dataset import Dataset
from storewise.data.identities import Owners
from storewise.predict.features.stretches import stretches
from storewise.predict.features.trails import (
    CODE,
    DAY_S,
    KINDS,
    PURCHASE,
    RETURN,
    Floats,
    Ints,
    Mask,
    Orders,
    Trails,
)

__all__ = ["CODE", "DAY_S", "KINDS", "PURCHASE", "RETURN", "EventLog", "Orders", "Trails"]

PARTS = ("customers", "products", "kinds", "at", "quantity", "spend_minor")
MOST_NAMES = 200  # of slots and of sources; those that appear later are unknown
OPTIONAL = ("sessions", "anonymous", "known", "until", "first", "slots", "positions", "sources")


@dataclass(frozen=True)
class EventLog:
    """All events of a shop, sorted by (actor, time); all arrays (nnz,).

    ``customers``: the actor: a customer, from ``n_customers`` on a session, -1 somebody nobody can recognise.
    ``kinds`` index ``KINDS``. ``spend_minor``: quantity × unit price, NaN where the price is unknown. ``sessions``: of
    the event, -1 for none; ``anonymous``: it has one and names no customer (None: none does). An event whose actor changes has a row for each: ``known`` and ``until`` bound the moments
    at which the row holds (None: from ``at`` on, for good), ``first`` marks one row an event (None: all).
    ``slots`` and ``sources`` (codes into ``slot_names`` and ``source_names``, -1 unknown) and ``positions`` (from 0, NaN
    unknown) say where a product stood, None where no event says so.

    >>> log = EventLog.build([0, 0], [1, 2], [10.0, 5.0], n_customers=1, n_products=3)
    >>> log.products.tolist()
    [2, 1]
    >>> log = EventLog.build([-1, 0], [1, 2], [1.0, 5.0], sessions=[0, 0], n_customers=1, n_products=3)
    >>> [log.trails([0], now).products.tolist() for now in (5.0, 6.0)]
    [[], [1, 2]]
    """

    customers: Ints
    products: Ints
    kinds: npt.NDArray[np.int8]
    at: Floats
    quantity: Floats
    spend_minor: Floats
    n_customers: int
    n_products: int
    sessions: npt.NDArray[np.int32] | None = None
    anonymous: Mask | None = None
    known: Floats | None = None
    until: Floats | None = None
    first: Mask | None = None
    slots: npt.NDArray[np.int16] | None = None
    positions: npt.NDArray[np.float32] | None = None
    sources: npt.NDArray[np.int16] | None = None
    slot_names: tuple[str, ...] = ()
    source_names: tuple[str, ...] = ()
    owners: Owners = field(default_factory=lambda: Owners.of([], [], [], n_sessions=0))

    @classmethod
    def build(
        cls,
        customers: npt.ArrayLike,
        products: npt.ArrayLike,
        at: npt.ArrayLike,
        *,
        n_customers: int,
        n_products: int,
        kinds: npt.ArrayLike | None = None,
        quantity: npt.ArrayLike | None = None,
        spend_minor: npt.ArrayLike | None = None,
        sessions: npt.ArrayLike | None = None,
        n_sessions: int | None = None,
        known: npt.ArrayLike | None = None,
        **lists: Any,
    ) -> EventLog:
        """Sort; kinds default to purchases, quantities to 1, spending to unknown.

        ``customers``: who the event itself names. ``sessions``: -1 for none; who signed in during a session becomes
        its actor from then on. ``known``: when the shop learned of the event, where that was later than ``at``.
        ``lists``: slots, positions, sources, slot_names, source_names.
        """
        who, when = np.asarray(customers, np.int64), np.asarray(at, np.float64)
        n = len(who)
        given: dict[str, Any] = {
            "products": np.asarray(products, np.int64),
            "kinds": np.full(n, PURCHASE, np.int8) if kinds is None else np.asarray(kinds, np.int8),
            "at": when,
            "quantity": np.ones(n) if quantity is None else np.asarray(quantity, np.float64),
            "spend_minor": np.full(n, np.nan) if spend_minor is None else np.asarray(spend_minor, np.float64),
            "known": None if known is None else np.maximum(np.asarray(known, np.float64), when),
        } | {
            name: np.asarray(lists[name], kind)
            for name, kind in (("slots", np.int16), ("positions", np.float32), ("sources", np.int16))
            if lists.get(name) is not None
        }  # fmt: skip
        about: dict[str, Any] = {
            name: tuple(lists[name]) for name in ("slot_names", "source_names") if name in lists
        }
        if sessions is not None:
            where = np.asarray(sessions, np.int32)
            size = int(where.max(initial=-1)) + 1 if n_sessions is None else n_sessions
            told = when if given["known"] is None else given["known"]
            signed = (who >= 0) & (where >= 0)
            owners = Owners.of(where[signed], who[signed], told[signed], n_sessions=size)
            about["owners"] = owners
            given = stretches(given | {"sessions": where, "customers": who}, told, owners, n_customers)
            who = given.pop("customers")
        order = np.lexsort((given["at"], who))
        rows = {name: None if part is None else part[order] for name, part in given.items()}
        return cls(customers=who[order], n_customers=n_customers, n_products=n_products, **rows, **about)

    @classmethod
    def of(cls, shop: Dataset) -> EventLog:
        """Of a shop's events; a dataset without any (bare lists) counts its interactions as purchases."""
        known = len(shop.customer_ids)
        if "events" not in shop.extra:
            rows = shop.interactions
            return cls.build(
                rows.customers, rows.products, rows.at, n_customers=known, n_products=shop.n_products
            )
        events = shop.extra["events"]
        units = events["quantity"].fill_null(1).cast(pl.Float64).to_numpy()
        price = events["unit_price_minor"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        names = events["kind"].cast(pl.String).replace_strict(CODE, default=len(KINDS), return_dtype=pl.Int8)
        who = events["customer"].to_numpy()
        more: dict[str, Any] = _lists(events)
        if "signed" in events.columns:
            who = np.where(events["signed"].to_numpy(), who, -1)
            more |= {"sessions": events["session"].to_numpy(), "n_sessions": shop.extra["sessions"].height}
        if "known" in events.columns:
            more["known"] = events["known"].fill_null(float("-inf")).to_numpy()
        return cls.build(
            who, events["product"].to_numpy(), events["at"].to_numpy(),
            kinds=names.to_numpy(), quantity=units, spend_minor=units * price,
            n_customers=known, n_products=shop.n_products, **more,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.at)

    @property
    def n_actors(self) -> int:
        """Customers and sessions."""
        return self.n_customers + len(self.owners)

    @cached_property
    def indptr(self) -> Ints:
        """(n_actors + 1,): actor c owns rows indptr[c]:indptr[c + 1]."""
        return np.searchsorted(self.customers, np.arange(self.n_actors + 1)).astype(np.int64)

    @cached_property
    def start(self) -> float:
        """The time of the first event, 0 when there is none."""
        return float(self.at.min()) if len(self) else 0.0

    @cached_property
    def end(self) -> float:
        """The time of the last event, 0 when there is none."""
        return float(self.at.max()) if len(self) else 0.0

    @property
    def latest(self) -> float:
        """When all of it was known: the time of the last event, or later where an event came late."""
        late = -np.inf if self.known is None or not len(self) else float(self.known.max())
        return max(self.end, late)

    def select(self, rows: Mask | Ints) -> EventLog:
        """The rows of a mask, or of rising indices."""
        parts = {name: getattr(self, name) for name in (*PARTS, *OPTIONAL)}
        return replace(self, **{name: None if part is None else part[rows] for name, part in parts.items()})

    def holds(self, moments: npt.ArrayLike, rows: Ints | slice = slice(None)) -> Mask:
        """Whether rows are known and their actor's at moments (a scalar, or one for each of ``rows``)."""
        known = self.at[rows] if self.known is None else self.known[rows]
        found: Mask = known < moments
        return found if self.until is None else found & (moments <= self.until[rows])

    def before(self, moment: float, *kinds: int) -> EventLog:
        """What was known at ``moment`` (strictly before it), every event once; only of ``kinds`` where some are given."""
        kept = self.holds(moment)
        return self.select(kept & np.isin(self.kinds, kinds) if kinds else kept)

    def between(self, start: float, stop: float, kind: int = PURCHASE) -> EventLog:
        """Events of a kind in [start, stop), each once, with their actor as known at the end: for outcomes."""
        return self.select((self.at >= start) & (self.at < stop) & (self.kinds == kind) & self.holds(np.inf))

    def asked(self, start: float, stop: float, kind: int) -> tuple[EventLog, Ints]:
        """Events of a kind in [start, stop), each once, and (n,) their actor as known at their own time."""
        inside = (self.at >= start) & (self.at < stop) & (self.kinds == kind)
        found = self.select(inside if self.first is None else inside & self.first)
        return found, found.actors()

    def actors(self) -> Ints:
        """(nnz,) whose each row's event was as known at its own time."""
        if self.sessions is None or self.anonymous is None or self.first is None:
            return self.customers
        owner = self.owners.at(self.sessions.astype(np.int64), self.at)
        session = self.n_customers + self.sessions.astype(np.int64)
        return np.where(self.anonymous, np.where(owner >= 0, owner, session), self.customers)

    def trails(self, customers: npt.ArrayLike, now: npt.ArrayLike) -> Trails:
        """What each of these actors (b,) did strictly before ``now`` (scalar or (b,)), as known then."""
        who = np.asarray(customers, np.int64)
        moments = np.broadcast_to(np.asarray(now, np.float64), who.shape)
        known = (who >= 0) & (who < self.n_actors)
        safe = np.where(known, who, 0)
        starts, stops = (self.indptr[safe], self.indptr[safe + 1]) if self.n_actors else (safe, safe)
        lengths = np.where(known, stops - starts, 0)
        borders = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.repeat(starts - borders[:-1], lengths) + np.arange(borders[-1])
        owner = np.repeat(np.arange(len(who)), lengths)
        kept = self.holds(moments[owner], rows)
        rows, owner = rows[kept], owner[kept]
        return Trails(
            np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(who)))]).astype(np.int64),
            self.products[rows], self.kinds[rows], self.at[rows], self.quantity[rows],
            self.spend_minor[rows], moments, who,
        )  # fmt: skip


def _lists(events: pl.DataFrame) -> dict[str, Any]:
    """Where products stood, as codes in the order in which names first appear: later ones change no earlier code."""
    found: dict[str, Any] = {}
    for name in ("slot", "source"):
        if name in events.columns:
            names = (
                events[name].drop_nulls().unique(maintain_order=True).cast(pl.String).to_list()[:MOST_NAMES]
            )
            codes = (
                events[name]
                .cast(pl.String)
                .replace_strict(names, list(range(len(names))), default=-1, return_dtype=pl.Int16)
            )
            found |= {f"{name}s": codes.to_numpy(), f"{name}_names": names}
    if "position" in events.columns:
        found["positions"] = events["position"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return found
