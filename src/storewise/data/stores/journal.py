"""What ingests and decisions leave to read: reports, rejects, the decision log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import polars as pl
import sqlalchemy as sa

from storewise.core.errors import StoreError
from storewise.data import schema
from storewise.data.schema import REJECTS_SCHEMA, REPORT_SCHEMA, UTC_TIME, Report
from storewise.data.stores import frames
from storewise.data.stores.tables import DECISIONS, FACTS, INGESTS, PAST_PRODUCTS, PRODUCTS, REJECTS, REPORT

_DECISIONS = {
    "decision_id": pl.String,
    "at": pl.Int64,
    "customer_id": pl.String,
    "session_id": pl.String,
    "slot": pl.String,
    "snapshot": pl.String,
    "step": pl.String,
    "guard_rail": pl.String,
    "items": pl.String,
    "experiment": pl.String,
    "variant": pl.String,
}


def begin(connection: sa.Connection, at: datetime, source: str, rows: int) -> int:
    """Open an ingest's entry and return its id."""
    entry = {"at": frames.micros(at), "source": source, "seconds": 0.0, "rows": rows}
    key = connection.execute(sa.insert(INGESTS).values(entry)).inserted_primary_key
    assert key is not None, "an insert of one row returns its key"
    return int(key[0])


def write(connection: sa.Connection, ingest_id: int, report: Report, rejects: pl.DataFrame) -> None:
    """Keep an ingest's report and rejects."""
    for table, frame in ((REPORT, report.frame()), (REJECTS, rejects)):
        if frame.height:
            rows = frame.with_columns(pl.lit(ingest_id).alias("ingest_id")).to_dicts()
            connection.execute(sa.insert(table), rows)


def fact(connection: sa.Connection, name: str) -> str | None:
    """A fact about the store, None while nothing was said."""
    found = connection.execute(sa.select(FACTS.c.value).where(FACTS.c.name == name)).scalar()
    return None if found is None else str(found)


def state(connection: sa.Connection, name: str, value: str) -> None:
    """Say a fact for good.

    Raises:
        StoreError: when the store says otherwise.
    """
    said = fact(connection, name)
    if said is None:
        connection.execute(sa.insert(FACTS).values(name=name, value=value))
    elif said != value:
        raise StoreError(
            f"The store has {name} {said}, not {value}.", next_step="Use what the store was filled with."
        )


def ingests(connection: sa.Connection) -> pl.DataFrame:
    query = sa.select(*INGESTS.columns).order_by(INGESTS.c.ingest_id)
    types: dict[str, Any] = {
        "ingest_id": pl.Int64, "at": pl.Int64, "source": pl.String, "seconds": pl.Float64, "rows": pl.Int64,
    }  # fmt: skip
    return _frame(connection, query, types)


def reports(connection: sa.Connection, ingest_id: int | None) -> pl.DataFrame:
    told = [REPORT.c[name] for name in REPORT_SCHEMA]
    query = sa.select(INGESTS.c.ingest_id, INGESTS.c.at, INGESTS.c.source, *told).join_from(INGESTS, REPORT)
    if ingest_id is not None:
        query = query.where(INGESTS.c.ingest_id == ingest_id)
    types: dict[str, Any] = {"ingest_id": pl.Int64, "at": pl.Int64, "source": pl.String, **REPORT_SCHEMA}
    return _frame(connection, query.order_by(REPORT.c.seq), types)


def rejects(connection: sa.Connection, ingest_id: int | None) -> pl.DataFrame:
    told = [REJECTS.c[name] for name in REJECTS_SCHEMA]
    query = sa.select(REJECTS.c.ingest_id, *told).order_by(REJECTS.c.seq)
    if ingest_id is not None:
        query = query.where(REJECTS.c.ingest_id == ingest_id)
    return _frame(connection, query, {"ingest_id": pl.Int64, **REJECTS_SCHEMA})


def decisions(connection: sa.Connection, since: datetime | None, until: datetime | None) -> pl.DataFrame:
    query = sa.select(*(DECISIONS.c[name] for name in _DECISIONS))
    if since is not None:
        query = query.where(DECISIONS.c.at >= frames.micros(since))
    if until is not None:
        query = query.where(DECISIONS.c.at < frames.micros(until))
    return _frame(connection, query.order_by(DECISIONS.c.at, DECISIONS.c.decision_id), _DECISIONS)


def keep_past(connection: sa.Connection, rows: list[dict[str, Any]], at: datetime) -> None:
    """Keep the rows of products that ``rows`` are about to change, as they stood until ``at``."""
    names = [column.name for column in PRODUCTS.columns]
    moment = frames.micros(at)
    for part in frames.chunks(rows):
        new = {row["product_id"]: row for row in part}
        query = sa.select(PRODUCTS).where(PRODUCTS.c.product_id.in_(list(new)))
        before = [dict(row) for row in connection.execute(query).mappings()]
        changed = [row for row in before if any(row[name] != new[row["product_id"]][name] for name in names)]
        frames.replace(connection, PAST_PRODUCTS, [row | {"until": moment} for row in changed])


def past_products(connection: sa.Connection) -> pl.DataFrame:
    """The contract's columns and ``until``, by product and time."""
    columns = [PAST_PRODUCTS.c[column.name] for column in schema.PRODUCTS.columns]
    order = (PAST_PRODUCTS.c.product_id, PAST_PRODUCTS.c.until)
    found = connection.execute(sa.select(*columns, PAST_PRODUCTS.c.until).order_by(*order)).all()
    frame = frames.to_frame([tuple(row)[:-1] for row in found], schema.PRODUCTS)
    ends = pl.Series("until", [row[-1] for row in found], dtype=pl.Int64)
    return frame.with_columns(pl.from_epoch(ends, time_unit="us").cast(UTC_TIME).alias("until"))


def _frame(connection: sa.Connection, query: sa.Select[Any], types: dict[str, Any]) -> pl.DataFrame:
    rows = [tuple(_plain(value) for value in row) for row in connection.execute(query)]
    found = pl.DataFrame(rows, schema=types, orient="row")
    if "at" not in types:
        return found
    return found.with_columns(pl.from_epoch("at", time_unit="us").cast(UTC_TIME))


def _plain(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value
