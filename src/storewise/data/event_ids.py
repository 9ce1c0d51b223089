"""Ids for events that come without one, so that reading the same file twice adds nothing."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.schema import EVENTS

NO_CONTENT = ("event_id", "known_at")  # when an event came says nothing of what it is
Lane = npt.NDArray[np.uint64]


def fill(events: pl.DataFrame) -> pl.DataFrame:
    """Give every event without an ``event_id`` one that depends on its content alone.

    The id is 96 bits over all columns and over the row's number among equal rows, so that two equal lines
    of one file stay two events and the same file read again gives the same ids. It is kept in files and
    must never depend on the version of a library.

    >>> from datetime import UTC, datetime
    >>> row = {"at": datetime(2011, 1, 1, tzinfo=UTC), "product_id": "A", "kind": "view"}
    >>> two = fill(EVENTS.conform(pl.DataFrame([row, row])))["event_id"].to_list()
    >>> two[0] == fill(EVENTS.conform(pl.DataFrame([row])))["event_id"][0], two[0] == two[1]
    (True, False)
    """
    missing = events["event_id"].is_null()
    if not missing.any():
        return events
    bare = events.filter(missing)
    content = [column.name for column in EVENTS.columns if column.name not in NO_CONTENT]
    first = np.zeros(bare.height, np.uint64)
    second = np.zeros(bare.height, np.uint64)
    for number, name in enumerate(content):
        lane = _lane(bare[name])
        first = _mix(first ^ _mix(lane + np.uint64(2 * number + 1)))
        second = _mix(second ^ _mix(lane + np.uint64((2 * number + 2) * _GOLDEN % 2**64)))
    first = _mix(first ^ _mix(_occurrence(first)))
    names = pl.DataFrame({"a": first, "b": second >> np.uint64(32)}).select(
        pl.concat_str(pl.lit("row"), pl.col("a"), pl.col("b"), separator="-").alias("event_id")
    )
    filled = bare.with_columns(names["event_id"])
    if bare.height == events.height:
        return filled
    place = pl.DataFrame({"place": missing.arg_true()}).with_columns(names["event_id"].alias("made"))
    return (
        events.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"))
        .join(place.cast({"place": pl.UInt32}), on="place", how="left", maintain_order="left")
        .with_columns(pl.coalesce("event_id", "made").alias("event_id"))
        .select(events.columns)
    )


_GOLDEN = 0x9E3779B97F4A7C15
_NULL = np.uint64(0xD1B54A32D192ED03)


def _mix(x: Lane) -> Lane:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Lane = x ^ (x >> np.uint64(31))
    return mixed


def _occurrence(content: Lane) -> Lane:
    """0 for the first row of a content, 1 for the second …."""
    order = np.argsort(content, kind="stable")
    ranked = content[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    number = np.empty(len(content), np.uint64)
    number[order] = np.arange(len(content)) - np.repeat(starts, np.diff(np.append(starts, len(content))))
    return number


def _lane(column: pl.Series) -> Lane:
    """64 bits for each value: numbers as they are, text by BLAKE2b of each distinct value."""
    if column.null_count() == len(column):
        return np.full(len(column), _NULL)
    if column.dtype in (pl.String, pl.Enum):
        distinct = column.unique().drop_nulls().cast(pl.String)
        hashed = pl.Series([_text(value) for value in distinct.to_list()], dtype=pl.UInt64)
        bits = column.cast(pl.String).replace_strict(distinct, hashed, default=None, return_dtype=pl.UInt64)
    elif column.dtype.is_float():
        bits = pl.Series(column.cast(pl.Float64).fill_null(0.0).to_numpy().view(np.uint64))
    else:
        bits = pl.Series(column.to_physical().cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64))
    lane = bits.fill_null(0).to_numpy().copy()
    lane[column.is_null().to_numpy()] = _NULL
    return lane


def _text(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")
