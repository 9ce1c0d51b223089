"""What a write to the store answers."""

from __future__ import annotations

from dataclasses import dataclass

from storewise.data.schema import Report


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one ingest did: its id, the report with duplicates counted, the events that were new."""

    ingest_id: int
    report: Report
    new_events: int
    duplicate_events: int


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch of live events; ``new_ids`` are the event ids of those that were accepted."""

    accepted: int
    duplicates: int
    new_ids: frozenset[str] = frozenset()
