"""A shop that answers: the store, the serving snapshot, live events and the writer, wired together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from storewise.core.clock import Clock, seconds, system_clock
from storewise.core.errors import StateError
from storewise.core.registry import Registry
from storewise.data.privacy import Pseudonyms
from storewise.data.shop import dataset
from storewise.data.stores import Store
from storewise.engine.predict import Forecaster
from storewise.engine.published import Manifest, read_pointer, read_snapshot
from storewise.engine.recommend import Answer, Ask, Recommender
from storewise.engine.registry import registry as all_components
from storewise.engine.serving.current import Current
from storewise.engine.serving.customers import customer_facts
from storewise.engine.serving.events import Batch, Border, live_row
from storewise.engine.serving.exposures import Exposures
from storewise.engine.serving.live import Live, customer_key, session_key
from storewise.engine.serving.relearn import Relearn
from storewise.engine.serving.shoppers import Keyed, Shoppers
from storewise.engine.serving.sign_ins import SignIns, sign_ins_of
from storewise.engine.serving.snapshot import RECENT_S, Snapshot, load, moment
from storewise.engine.serving.writer import Writer


def load_manifest(store: Store, manifest: Manifest, registry: Registry) -> Snapshot:
    """A snapshot joined with the store's present catalogue, stock and histories."""
    behaviour = dataset(store, until=moment(manifest.watermark))
    return load(
        store.folder, manifest, behaviour, registry, stock=store.stock(), private=private_customers(store),
        customers=customer_facts(store.customers()),
    )  # fmt: skip


def load_published(store: Store, registry: Registry) -> Snapshot:
    """The snapshot that the pointer names.

    Raises:
        NothingPublished: when there is none.
        ArtifactError: when it is damaged.
    """
    pointer = read_pointer(store.folder)
    return load_manifest(store, read_snapshot(store.folder, pointer.serving, sha256=pointer.sha256), registry)


def private_customers(store: Store) -> frozenset[str]:
    """Customers whose ``attributes`` say ``{"personal": false}``: they get no personal list."""
    told = store.customers().filter(pl.col("attributes").str.contains('"personal"', literal=True))
    found = set()
    for customer, text in told.select("customer_id", "attributes").iter_rows():
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if isinstance(values, dict) and values.get("personal") is False:
            found.add(customer)
    return frozenset(found)


def serving_manifest(store: Store) -> Manifest | None:
    """The manifest of what serves, or None when nothing readable does."""
    try:
        return read_snapshot(store.folder, read_pointer(store.folder).serving)
    except StateError:
        return None


def running_clock(start: datetime, base: Clock = system_clock) -> Clock:
    """A clock that shows ``start`` now and runs on from there: for shops of the past."""
    begun = base()
    return lambda: start + (base() - begun)


def end_of_data(store: Store) -> datetime | None:
    """The newest moment the shop knows of: its last event, or the watermark of what serves."""
    serving, newest = serving_manifest(store), store.events()["at"].max()
    found = [moment(serving.watermark)] if serving is not None else []
    if isinstance(newest, datetime):
        found.append(newest)
    return max(found, default=None)


class Service:
    """What the HTTP routes and the command line ask. Open it, ``start`` it, ``close`` it.

    ``clock=None`` starts the time at the shop's newest event and lets it run on: a shop of the past then is
    asked as if it were its last day, also after a restart.
    """

    def __init__(
        self,
        store: Store,
        *,
        pseudonyms: Keyed,
        clock: Clock | None = system_clock,
        registry: Registry | None = None,
        poll_s: float = 1.0,
    ) -> None:
        self.store = store
        self.shoppers = Shoppers(pseudonyms, known=self._known)
        self.clock = clock or running_clock(end_of_data(store) or system_clock())
        self.registry = registry or all_components()
        self.live, self.sign_ins = Live(), SignIns()
        self._products: frozenset[str] = frozenset()
        self._ingests = 0
        self._live_lock = threading.Lock()
        self._relearn = Relearn(store, self.registry, self.clock)
        self.current = Current(
            store.folder, self._load, refresh=self._refresh, on_swap=self._swap, every_s=poll_s
        )
        self.writer = Writer(append=self._append, record=self._record)
        self.exposures = Exposures(self.live)
        self.recommend = Recommender(
            self.current, live=self.live, clock=self.clock, record=self.writer.decision,
            exposures=self.exposures,
        )  # fmt: skip
        self.predict = Forecaster(self.current, live=self.live, clock=self.clock, sign_ins=self.sign_ins)

    @classmethod
    def open(cls, folder: Path, **options: Any) -> Service:
        """Open the shop in a folder.

        Raises:
            StoreError: when there is none.
        """
        store = Store.open(folder, create=False)
        return cls(store, pseudonyms=Pseudonyms.of(folder), **options)

    def start(self) -> None:
        """Load what is published and watch it from now on."""
        self._products = frozenset(self.store.products()["product_id"].to_list())
        self.store.warm()
        self.current.start()

    def load_once(self) -> None:
        """Load what is published and do not watch it.

        Raises:
            NothingPublished: when nothing is.
            ArtifactError: when it is damaged.
        """
        self.current.take(self._load())

    def preview(self, ask: Ask) -> Answer:
        """An answer that is not logged."""
        return Recommender(self.current, live=self.live, clock=self.clock)(ask)

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self.current.stop()
        self.writer.close()
        self.store.close()

    def _known(self, key: str) -> bool:
        kind, _, name = key.partition(":")
        if kind == "c" and self.current.ready and name in self.current().customer_index:
            return True
        return key in self.live

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────

    def check_events(self, events: Sequence[Any]) -> Batch:
        """See :meth:`storewise.engine.serving.events.Border.check`."""
        return self._border.check(events, self.clock())

    def write_events(self, rows: Sequence[Mapping[str, Any]]) -> Future[set[str]]:
        """Queue checked rows; the future gives the ids that were new, after they are on the disk and the
        shopper's next list knows them."""
        return self.writer.events(rows)

    @property
    def _border(self) -> Border:
        return Border(
            self._products.__contains__, self.shoppers.customer, self.shoppers.session, self._currency()
        )

    def _currency(self) -> str | None:
        if not self.current.ready:
            return None
        found: str | None = self.current().catalogue.currency
        return found

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> set[str]:
        with self._live_lock:
            new = set(self.store.append_events(rows).new_ids)
            fresh = {row["event_id"]: live_row(row) for row in reversed(rows) if row["event_id"] in new}
            self.live.add(reversed(fresh.values()))
            self.sign_ins.add(sign_ins_of(row for row in rows if row["event_id"] in new))
        return new

    def _record(self, answers: Sequence[Answer]) -> None:
        self.store.log_decisions([decision_row(answer) for answer in answers])

    # ── the snapshot ─────────────────────────────────────────────────────────────────────────────────────

    def _load(self) -> Snapshot:
        self._ingests = self.store.ingests().height
        snapshot = load_published(self.store, self.registry)
        self._warm(snapshot)
        return snapshot

    def _warm(self, snapshot: Snapshot) -> None:
        """One list that nobody sees: what is worked out once must not cost the first shopper the deadline."""
        somebody = next(iter(snapshot.customer_index), None)
        Recommender(lambda: snapshot, live=self.live, clock=self.clock)(Ask(somebody, budget_ms=60_000.0))

    def _swap(self, snapshot: Snapshot) -> None:
        """Take from the store what the snapshot's histories do not hold. New events wait meanwhile, so that
        none falls between the reading and the replacing; lists are served all the time."""
        with self._live_lock:
            rows = list(untrained_events(self.store, snapshot))
            self.live.replace(live_row(row) for row in rows)
            self.sign_ins.replace(sign_ins_of(rows))
        if snapshot.exposure_days:
            remember_decisions(self.exposures, self.store, self.clock(), snapshot.exposure_days)

    def _refresh(self, snapshot: Snapshot) -> Snapshot | None:
        newer = self._ingested(snapshot)
        return self._relearn(newer or snapshot) or newer

    def _ingested(self, snapshot: Snapshot) -> Snapshot | None:
        """New prices, stock, products and events after an ingest into the same shop."""
        ingests = self.store.ingests().height
        if ingests == self._ingests:
            return None
        self._ingests = ingests
        products = self.store.products()
        self._products = frozenset(products["product_id"].to_list())
        self._swap(snapshot)
        return snapshot.with_facts(products, self.store.stock())


def untrained_events(store: Store, snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """What happened after training, and the last day before it as far as the histories do not hold it:
    views and the like of customers, everything of anonymous sessions."""
    border = moment(snapshot.watermark)
    names = ["at", "customer_id", "session_id", "product_id", "kind", "quantity"]
    events = store.events(since=border - timedelta(seconds=RECENT_S)).select(names)
    held = (
        (pl.col("at") < border)
        & pl.col("customer_id").is_not_null()
        & pl.col("kind").cast(pl.String).is_in(sorted(snapshot.counted))
    )
    somebody = pl.col("customer_id").is_not_null() | pl.col("session_id").is_not_null()
    return events.filter(somebody & ~held).iter_rows(named=True)


def remember_decisions(exposures: Exposures, store: Store, now: datetime, days: float) -> None:
    """Lists that were served before this process began, for frequency caps."""
    exposures.clear()
    logged = store.decisions(since=now - timedelta(days=days))
    columns = ("at", "customer_id", "session_id", "items")
    for at, customer, session, items in logged.select(columns).iter_rows():
        if customer is None and session is None:
            continue
        key = customer_key(customer) if customer is not None else session_key(session)
        exposures.put(key, seconds(at), tuple(item["product_id"] for item in orjson.loads(items)))


def experiment_of(answer: Answer) -> str | None:
    """The experiment that the answer is part of."""
    experiment = answer.snapshot.pipeline.experiment
    return experiment.name if experiment is not None and answer.variant is not None else None


def decision_row(answer: Answer) -> dict[str, Any]:
    """A decision as the log keeps it."""
    ids = answer.snapshot.catalogue.ids
    return {
        "decision_id": answer.decision_id,
        "at": answer.at,
        "customer_id": answer.ask.customer,
        "session_id": answer.ask.session,
        "slot": answer.ask.slot,
        "snapshot": answer.snapshot.id,
        "step": answer.step,
        "guard_rail": answer.guard_rail,
        "experiment": experiment_of(answer),
        "variant": answer.variant,
        "items": [
            {
                "product_id": ids[item.product],
                "position": position,
                "score": item.score,
                "p_purchase": item.p_purchase if item.p_purchase == item.p_purchase else None,
                "propensity": item.propensity,
                "source": item.source,
                "reason": item.reason.kind,
                **({"features": item.features} if item.features else {}),
            }
            for position, item in enumerate(answer.items)
        ],
    }
