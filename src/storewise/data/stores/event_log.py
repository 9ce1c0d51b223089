"""The append-only events of a shop: history in segments, live events in SQL rows, read as one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from storewise.data.schema import EVENTS
from storewise.data.stores import frames
from storewise.data.stores.segments import Segment, SegmentIds, Segments
from storewise.data.stores.tables import LIVE_EVENTS, REVISIONS, SEGMENTS

_FEW = 10_000
"""Up to so many ids are looked up one by one, more are joined."""
_LIVE = [LIVE_EVENTS.c[column.name] for column in EVENTS.columns]
# Statements of every write, made once: making one anew costs as much as running it.
_BUMP = sa.update(REVISIONS).where(REVISIONS.c.name == "events").values(number=REVISIONS.c.number + 1)
_FIRST = sa.insert(REVISIONS).values(name="events", number=1)
_CATALOGUE = sa.select(*(SEGMENTS.c[name] for name in Segment.__dataclass_fields__)).order_by(
    SEGMENTS.c.first_at, SEGMENTS.c.file
)
_TAKEN = sa.select(LIVE_EVENTS.c.event_id).where(
    LIVE_EVENTS.c.event_id.in_(sa.bindparam("ids", expanding=True))
)
_INSERT = sa.insert(LIVE_EVENTS)


class EventLog:
    """Reads and writes events inside transactions that the store opens.

    An ``event_id`` counts once over segments and live rows together. Writers take ``lock`` first.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._ids = SegmentIds(segments)
        self._guard = threading.Lock()

    @staticmethod
    def lock(connection: sa.Connection) -> None:
        """Put writers in line until the transaction ends, and number the change."""
        if connection.execute(_BUMP).rowcount == 0:
            connection.execute(_FIRST)

    @staticmethod
    def revision(connection: sa.Connection) -> int:
        """Rises with every write of events; 0 in a new store."""
        query = sa.select(REVISIONS.c.number).where(REVISIONS.c.name == "events")
        return connection.execute(query).scalar() or 0

    def fresh(self, connection: sa.Connection, events: pl.DataFrame) -> pl.DataFrame:
        """The events whose ids neither a segment nor a live row nor an earlier row of the frame holds."""
        if events["event_id"].n_unique() < events.height:
            events = events.unique("event_id", keep="first", maintain_order=True)
        if events.height <= _FEW:
            taken = self.taken(connection, events["event_id"].to_list())
            return events.filter(~pl.col("event_id").is_in(list(taken))) if taken else events
        if known := self.catalogue(connection):
            past = self._segments.scan(known).select("event_id").collect()
            events = events.join(past, on="event_id", how="anti", maintain_order="left")
        live = connection.execute(sa.select(LIVE_EVENTS.c.event_id)).scalars().all()
        return events.filter(~pl.col("event_id").is_in(pl.Series(live, dtype=pl.String).implode()))

    def taken(self, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
        """Which of a few ids some segment or live row holds."""
        found: set[str] = set()
        if known := self.catalogue(connection):
            with self._guard:
                found |= self._ids.present(pl.Series(ids, dtype=pl.String), known)
        for part in frames.chunks(ids):
            found.update(connection.execute(_TAKEN, {"ids": list(part)}).scalars())
        return found

    def append(self, connection: sa.Connection, rows: Iterable[dict[str, Any]]) -> list[str]:
        """Insert those live rows whose ids are new; returns their ids. The first of equal ids counts."""
        first = {row["event_id"]: row for row in reversed(list(rows))}
        taken = self.taken(connection, list(first)) if first else set()
        new = [first[key] for key in reversed(first) if key not in taken]
        if new:
            connection.execute(_INSERT, new)
        return [row["event_id"] for row in new]

    def add_segment(self, connection: sa.Connection, events: pl.DataFrame, ingest_id: int) -> Segment:
        """Write a file and name it in the catalogue; it counts when the transaction commits."""
        segment = self._segments.write(events)
        connection.execute(sa.insert(SEGMENTS).values(ingest_id=ingest_id, **asdict(segment)))
        return segment

    def sweep(self, connection: sa.Connection) -> int:
        """Remove what a crash left behind. Call with the write lock held."""
        return self._segments.sweep(segment.file for segment in self.catalogue(connection))

    def discard(self, segment: Segment | None) -> None:
        """Remove the file of a transaction that failed."""
        if segment is not None:
            self._segments.remove(segment)

    @staticmethod
    def catalogue(connection: sa.Connection) -> list[Segment]:
        """The segments that count, in order of their first event."""
        return [Segment(*row) for row in connection.execute(_CATALOGUE)]

    def read(self, connection: sa.Connection, since: datetime | None, until: datetime | None) -> pl.DataFrame:
        """Events with since <= at < until, in time order."""
        known = self.catalogue(connection)
        live = sa.select(*_LIVE).order_by(LIVE_EVENTS.c.at, LIVE_EVENTS.c.seq)
        past = self._segments
        parts = [s for s in known if _overlaps(s, since, until)]
        scan = past.scan(parts)
        if since is not None:
            scan = scan.filter(pl.col("at") >= frames.aware(since))
            live = live.where(LIVE_EVENTS.c.at >= frames.micros(since))
        if until is not None:
            scan = scan.filter(pl.col("at") < frames.aware(until))
            live = live.where(LIVE_EVENTS.c.at < frames.micros(until))
        rows = frames.to_frame(connection.execute(live).all(), EVENTS)
        found = pl.concat([scan.collect(), rows])
        return found if found["at"].is_sorted() else found.sort("at", maintain_order=True)

    def of_shopper(self, connection: sa.Connection, column: str, value: str) -> pl.DataFrame:
        """The events of one customer or session, in time order."""
        scan = self._segments.scan(self.catalogue(connection)).filter(pl.col(column) == value)
        live = sa.select(*_LIVE).where(LIVE_EVENTS.c[column] == value)
        rows = frames.to_frame(connection.execute(live).all(), EVENTS)
        return pl.concat([scan.collect(), rows]).sort("at", maintain_order=True)


def _overlaps(segment: Segment, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or segment.last_at >= frames.micros(since)) and (
        until is None or segment.first_at < frames.micros(until)
    )
