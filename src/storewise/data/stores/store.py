"""A shop's store: catalogue, events, reports and decisions behind one small class.

It speaks SQLAlchemy Core only. SQLite is the default; what is particular to it lives in ``sqlite.py``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import polars as pl
import sqlalchemy as sa

from storewise.core.clock import Clock, system_clock
from storewise.core.errors import StoreError
from storewise.data import event_ids, schema
from storewise.data.stores import frames, journal, sqlite
from storewise.data.stores.event_log import EventLog
from storewise.data.stores.receipts import Appended, Receipt
from storewise.data.stores.segments import Segment, Segments
from storewise.data.stores.tables import CATALOGUE, DECISIONS, INGESTS
from storewise.data.stores.vectors import VectorCache

DATABASE = "shop.db"


class Store:
    """All that is kept of one shop. Safe to share between threads; writers wait for each other.

    >>> import tempfile
    >>> with Store.open(Path(tempfile.mkdtemp())) as store:
    ...     store.events().height
    0
    """

    def __init__(self, folder: Path, engine: sa.Engine, clock: Clock) -> None:
        self.folder = folder
        self._engine = engine
        self._clock = clock
        self._log = EventLog(Segments(folder / "events"))
        self._writer = threading.Lock()

    @classmethod
    def open(
        cls, folder: Path, *, url: str | None = None, create: bool = True, clock: Clock = system_clock
    ) -> Store:
        """Open the shop in ``folder``, bringing its database to the present shape.

        ``url``: another database for everything but the event files (SQLAlchemy's form).

        Raises:
            StoreError: when there is no shop (``create`` false), the database cannot be opened or is newer.
        """
        if not create and url is None and not (folder / DATABASE).is_file():
            raise StoreError(
                f"There is no shop in {folder}.",
                next_step="Fill one with: storewise ingest --shop PATH, or name another folder.",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(
                url or sqlite.url(folder / DATABASE),
                json_serializer=lambda value: orjson.dumps(value).decode(),
                json_deserializer=orjson.loads,
            )
            if engine.dialect.name == "sqlite":
                sqlite.prepare(engine)
            store = cls(folder, engine, clock)
            store._migrate()
        except (OSError, ImportError, sa.exc.SQLAlchemyError) as error:
            raise StoreError(
                f"The store in {folder} cannot be opened: {getattr(error, 'orig', error)}.",
                next_step="Check the path, its permissions, the database's driver and that nothing locks it.",
            ) from error
        return store

    def close(self) -> None:
        """Give the connections back. The store cannot be used afterwards."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────

    def ingest(
        self,
        tables: schema.ShopTables,
        source: str,
        *,
        spent_s: float = 0.0,
        facts: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Add tables whose customer ids are pseudonyms already: all of it or, after a crash, nothing.

        A product, customer, stock or campaign row takes the place of the one with its key; events whose
        ``event_id`` is known are counted and left. ``spent_s``: seconds that reading took before.
        ``facts``: what must be true of the whole store, see :meth:`fact`.

        Raises:
            StoreError: when a fact contradicts the store, or it cannot be written.
        """
        started = time.perf_counter()
        events = event_ids.fill(schema.EVENTS.conform(tables.events))
        segment: Segment | None = None
        try:
            with self._write() as connection:
                self._log.lock(connection)
                for name, value in (facts or {}).items():
                    journal.state(connection, name, value)
                self._log.sweep(connection)
                fresh = self._log.fresh(connection, events)
                duplicates = events.height - fresh.height
                report = tables.report.copy()
                report.set_aside("events", "event_id is known already", duplicates)
                ingest_id = journal.begin(connection, self._clock(), source, fresh.height)
                if fresh.height:
                    segment = self._log.add_segment(connection, fresh, ingest_id)
                for name, table in CATALOGUE.items():
                    frame, key = getattr(tables, name), schema.TABLES[name].key
                    newest = frame.unique(key, keep="last", maintain_order=True)
                    report.set_aside(name, "key repeated: the last row counts", frame.height - newest.height)
                    rows = frames.to_rows(newest, schema.TABLES[name])
                    if name == "products":
                        journal.keep_past(connection, rows, self._clock())
                    frames.replace(connection, table, rows)
                journal.write(connection, ingest_id, report, tables.rejects)
                seconds = spent_s + time.perf_counter() - started
                connection.execute(
                    sa.update(INGESTS).where(INGESTS.c.ingest_id == ingest_id).values(seconds=seconds)
                )
        except Exception:
            self._log.discard(segment)
            raise
        return Receipt(ingest_id, report, fresh.height, duplicates)

    def known_events(self, events: pl.DataFrame) -> int:
        """How many of the events an ingest would find in the store, or twice among themselves."""
        filled = event_ids.fill(schema.EVENTS.conform(events))
        with self._read() as connection:
            return filled.height - self._log.fresh(connection, filled).height

    def append_events(self, events: pl.DataFrame | Sequence[Mapping[str, Any]]) -> Appended:
        """Add live events in one transaction; they are on the disk when this returns.

        Columns as in ``schema.EVENTS``, ids pseudonymised and products known to the caller. An event
        without an id gets one from its content.
        """
        rows = _event_rows(events)
        with self._write() as connection:
            self._log.lock(connection)
            new_ids = self._log.append(connection, rows)
        return Appended(len(new_ids), len(rows) - len(new_ids), frozenset(new_ids))

    def warm(self) -> None:
        """Load the ids of past events, which the first append would otherwise wait for."""
        with self._read() as connection:
            self._log.taken(connection, [])

    def log_decisions(self, decisions: Sequence[Mapping[str, Any]]) -> None:
        """Write decisions in one transaction.

        Keys: decision_id, at (datetime), slot, step, items (a list of plain dicts) and, where known,
        customer_id, session_id, snapshot, guard_rail, experiment and variant.
        """
        if not decisions:
            return
        names = [column.name for column in DECISIONS.columns]
        rows = [
            {name: row.get(name) for name in names} | {"at": frames.micros(row["at"])} for row in decisions
        ]
        with self._write() as connection:
            connection.execute(sa.insert(DECISIONS), rows)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────

    def events(self, *, since: datetime | None = None, until: datetime | None = None) -> pl.DataFrame:
        """Events with since <= at < until, in time order."""
        with self._read() as connection:
            return self._log.read(connection, since, until)

    def customer_events(self, pseudonym: str) -> pl.DataFrame:
        """All events of a customer, in time order."""
        with self._read() as connection:
            return self._log.of_shopper(connection, "customer_id", pseudonym)

    def session_events(self, pseudonym: str) -> pl.DataFrame:
        """All events of a session, in time order."""
        with self._read() as connection:
            return self._log.of_shopper(connection, "session_id", pseudonym)

    def revision(self) -> int:
        """A number that rises with every write of events."""
        with self._read() as connection:
            return self._log.revision(connection)

    def fact(self, name: str) -> str | None:
        """What an ingest said to be true of the whole store, None where nothing was said."""
        with self._read() as connection:
            return journal.fact(connection, name)

    def products(self) -> pl.DataFrame:
        """The catalogue, sorted by product id."""
        return self._table("products")

    def past_products(self) -> pl.DataFrame:
        """Rows of products that later ingests replaced by others: the columns of products, and ``until`` (datetime)."""
        with self._read() as connection:
            return journal.past_products(connection)

    def customers(self) -> pl.DataFrame:
        """Customers by pseudonym; only those a customer table told of."""
        return self._table("customers")

    def campaigns(self) -> pl.DataFrame:
        return self._table("campaigns")

    def stock(self, *, history: bool = False) -> pl.DataFrame:
        """The newest stock row of each product, or all of them."""
        found = self._table("stock")
        return found if history else found.group_by("product_id", maintain_order=True).last()

    def reports(self, ingest_id: int | None = None) -> pl.DataFrame:
        """What became of every row: ingest_id, at, source, table, outcome, reason, rows, example."""
        with self._read() as connection:
            return journal.reports(connection, ingest_id)

    def ingests(self) -> pl.DataFrame:
        """ingest_id, at, source, seconds, rows; the newest last."""
        with self._read() as connection:
            return journal.ingests(connection)

    def rejects(self, ingest_id: int | None = None) -> pl.DataFrame:
        """Rejected rows: ingest_id, table, line, reason, row."""
        with self._read() as connection:
            return journal.rejects(connection, ingest_id)

    @property
    def vectors(self) -> VectorCache:
        """What encoders made of products, by encoder and content."""
        return VectorCache(self._read, self._write)

    def decisions(self, *, since: datetime | None = None, until: datetime | None = None) -> pl.DataFrame:
        """Logged decisions with since <= at < until, in time order; ``items`` is JSON."""
        with self._read() as connection:
            return journal.decisions(connection, since, until)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────

    def _table(self, name: str) -> pl.DataFrame:
        table, contract = CATALOGUE[name], schema.TABLES[name]
        query = sa.select(*(table.c[c.name] for c in contract.columns)).order_by(*table.primary_key)
        with self._read() as connection:
            return frames.to_frame(connection.execute(query).all(), contract)

    def _migrate(self) -> None:
        from storewise.data.stores.migrations import head, upgrade
        from storewise.data.stores.migrations.upgrade import current

        with self._engine.connect() as connection:
            if current(connection) == head():
                return
        with self._write() as connection:
            upgrade(connection)

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        """A connection whose reads all see the same moment."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise StoreError(
                f"The store in {self.folder} cannot be read: {error.orig}.",
                next_step="Check that no other program holds it; if it is damaged, restore a backup.",
            ) from error

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end or leaves everything as it was."""
        try:
            with (
                self._writer,
                self._engine.connect().execution_options(writes=True) as connection,
                connection.begin(),
            ):
                yield connection
        except sa.exc.DBAPIError as error:
            busy = isinstance(error, sa.exc.OperationalError)
            raise StoreError(
                f"The store in {self.folder} cannot be written: {error.orig}. Nothing was changed.",
                next_step="Check the disk's space and that no other program holds the store; then try again."
                if busy
                else "Correct what was to be written.",
            ) from error


def _event_rows(events: pl.DataFrame | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Events as SQL parameters, each with an id."""
    if not isinstance(events, pl.DataFrame):
        rows = [frames.to_row(row, schema.EVENTS) for row in events]
        if all(row["event_id"] is not None for row in rows):
            return rows
        events = frames.to_frame([list(row.values()) for row in rows], schema.EVENTS)
    return frames.to_rows(event_ids.fill(schema.EVENTS.conform(events)), schema.EVENTS)
