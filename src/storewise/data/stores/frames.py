"""Between polars frames and SQL rows: times are integer microseconds in SQL, enums are text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import sqlalchemy as sa

from storewise.core.errors import DataError
from storewise.data.schema import UTC_TIME, Column, Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHUNK = 500
"""Bound parameters in one statement; SQLite's oldest limit is 999."""


def micros(at: datetime) -> int:
    """Microseconds since 1970-01-01 UTC; a naive time is taken as UTC.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return (aware(at) - _EPOCH) // timedelta(microseconds=1)


def aware(at: datetime) -> datetime:
    """The time with its zone; a naive one is taken as UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def to_rows(frame: pl.DataFrame, table: Table) -> list[dict[str, Any]]:
    """The conforming frame as SQL parameters."""
    plain = [
        pl.col(c.name).dt.epoch("us")
        if c.dtype == UTC_TIME
        else (pl.col(c.name).cast(pl.String) if isinstance(c.dtype, pl.Enum) else pl.col(c.name))
        for c in table.columns
    ]
    return table.conform(frame).select(plain).to_dicts()


def to_row(row: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """One row as SQL parameters, much faster than a frame of one row.

    Raises:
        DataError: when a value is not of its column's type.

    >>> from storewise.data.schema import CUSTOMERS
    >>> to_row({"customer_id": 7}, CUSTOMERS)["customer_id"]
    '7'
    """
    return {column.name: _plain(column, row.get(column.name)) for column in table.columns}


def _plain(column: Column, value: Any) -> Any:
    if value is None:
        return None
    kind: Any = column.dtype
    try:
        if kind == UTC_TIME:
            return micros(value)
        if isinstance(kind, pl.Enum):
            return _known(str(value), kind)
        if kind in (pl.Int32, pl.Int64):
            return int(value)
        return float(value) if kind in (pl.Float32, pl.Float64) else str(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{column.name} is {value!r}, which is no {kind}.", next_step="Give a value of that type."
        ) from error


def _known(value: str, kind: pl.Enum) -> str:
    if value not in _categories(kind):
        raise ValueError(value)
    return value


@cache
def _categories(kind: pl.Enum) -> frozenset[str]:
    """Looking into a column of them takes milliseconds, longer than all else of storing an event."""
    return frozenset(kind.categories)


def to_frame(rows: Sequence[Sequence[Any]], table: Table) -> pl.DataFrame:
    """SQL rows with the table's columns in order, as a conforming frame."""
    sql_types: dict[str, Any] = {
        c.name: pl.Int64 if c.dtype == UTC_TIME else (pl.String if isinstance(c.dtype, pl.Enum) else c.dtype)
        for c in table.columns
    }
    found = pl.DataFrame([tuple(row) for row in rows], schema=sql_types, orient="row")
    times = [
        pl.from_epoch(c.name, time_unit="us").dt.replace_time_zone("UTC")
        for c in table.columns
        if c.dtype == UTC_TIME
    ]
    return table.conform(found.with_columns(times))


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Parts small enough for an ``IN``."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def replace(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows, each in place of the one with its primary key."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    same = sa.and_(*(table.c[name] == sa.bindparam(f"key_{name}") for name in keys))
    if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
        connection.execute(sa.delete(table).where(same), [{f"key_{k}": row[k] for k in keys} for row in rows])
    connection.execute(sa.insert(table), rows)
