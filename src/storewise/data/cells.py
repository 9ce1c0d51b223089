"""Reading cells: columns of whatever type become columns of the contract's type, null where unreadable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from storewise.core.errors import DataError
from storewise.core.money import EXPONENTS
from storewise.data.schema import KINDS, UTC_TIME, Column

_AWARE = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
_NAIVE = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y/%m/%dT%H:%M:%S%.f",
    "%Y/%m/%dT%H:%M",
    "%Y/%m/%d",
    "%d.%m.%YT%H:%M:%S%.f",
    "%d.%m.%YT%H:%M",
    "%d.%m.%Y",
    "%Y%m%dT%H%M%S",
    "%Y%m%d",
)
_CLOCK = ("%H", "%I", "%k", "%l", "%T", "%R", "%X", "%c", "%s")
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_YES, _NO = ["true", "t", "yes", "y", "1", "1.0"], ["false", "f", "no", "n", "0", "0.0"]
_PRECISE = pl.Decimal(38, 12)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table's cells are written; see :class:`storewise.data.mapping.TableMapping`."""

    timezone: str = "UTC"
    time_format: str | None = None
    decimal: str = "."


def as_text(cells: pl.Series, *, where: str) -> pl.Series:
    """Cells as trimmed text, empty ones null; numbers of whole value without a fraction.

    Raises:
        DataError: for a column of lists, bytes or durations, which no column of the contract can be read from.

    >>> as_text(pl.Series("id", [12345.0, 7.0]), where="x").to_list()
    ['12345', '7']
    """
    kind = cells.dtype
    if isinstance(kind, pl.Struct):
        return cells.struct.json_encode()
    if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration):
        raise DataError(
            f"{where}: column {cells.name!r} has the type {kind}, text or numbers are needed.",
            next_step="Write one value a cell.",
        )
    if kind.is_float():
        whole = cells.is_null() | (cells.is_finite() & (cells == cells.round(0)) & (cells.abs() < 2**53))
        cells = cells.cast(pl.Int64) if whole.all() else cells
    text = cells.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def read(column: Column, cells: pl.Series, how: Reading, *, where: str) -> pl.Series:
    """The cells in the column's type; what cannot be read is null. ``cells`` keep their file's type."""
    kind: Any = column.dtype
    if kind == UTC_TIME:
        return read_times(cells, how)
    if kind == pl.Boolean:
        text = as_text(cells, where=where).str.to_lowercase()
        known = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
        return text.replace_strict(known, default=None, return_dtype=pl.Boolean)
    if kind in (pl.Int32, pl.Int64):
        return _whole(cells, where).cast(kind, strict=False)
    if kind in (pl.Float32, pl.Float64):
        plain = cells if cells.dtype.is_numeric() else _dotted(as_text(cells, where=where), how)
        number = plain.cast(kind, strict=False)
        return number.set(~number.is_finite().fill_null(True), None)
    return as_text(cells, where=where)


def read_kinds(cells: pl.Series, words: dict[str, str], *, where: str) -> pl.Series:
    """Kinds of events, whatever their case; ``words`` are a shop's own."""
    text = as_text(cells, where=where).str.to_lowercase()
    known = {kind: kind for kind in KINDS} | words
    return text.replace_strict(known, default=None, return_dtype=pl.String)


def read_major(cells: pl.Series, currency: pl.Series, how: Reading, *, where: str) -> pl.Series:
    """Minor units (Int64) from amounts in major units, each by its currency, rounded half to even.

    >>> read_major(pl.Series(["12.345", "7"]), pl.Series(["GBP", "JPY"]), Reading(), where="x").to_list()
    [1234, 7]
    """
    amount = _decimal(cells, how, where)
    powers = currency.replace_strict(
        list(EXPONENTS), [10**places for places in EXPONENTS.values()], default=100, return_dtype=pl.Int64
    )
    frame = pl.DataFrame({"amount": amount, "power": powers})
    scaled = (pl.col("amount") * pl.col("power").cast(pl.Decimal(38, 0))).cast(
        pl.Decimal(38, 12), strict=False
    )
    return frame.select(
        pl.when(pl.col("amount").abs() < 10**14).then(scaled.round(0, mode="half_to_even")).cast(pl.Int64)
    ).to_series()


def has_more_decimals(cells: pl.Series, minor: pl.Series, currency: pl.Series, how: Reading) -> pl.Series:
    """True where an amount in major units was finer than the minor unit, so that it was rounded."""
    powers = currency.replace_strict(
        list(EXPONENTS), [10**places for places in EXPONENTS.values()], default=100, return_dtype=pl.Int64
    )
    frame = pl.DataFrame({"amount": _decimal(cells, how, ""), "power": powers, "minor": minor})
    exact = pl.col("amount") * pl.col("power").cast(pl.Decimal(38, 0))
    return frame.select((exact != pl.col("minor").cast(pl.Decimal(38, 0))).fill_null(False)).to_series()


def read_times(cells: pl.Series, how: Reading) -> pl.Series:
    """Times in UTC. Text in ISO 8601 and its usual variants, year/month/day, day.month.year, or seconds (to
    nanoseconds) since 1970 by size; a time that names no zone is one of ``how.timezone``. Of an hour that
    occurs twice the first is taken; an hour that the clocks skip cannot be read, nor a year beyond 9999.

    >>> read_times(pl.Series(["2011-07-01 10:00"]), Reading("Europe/London"))[0].hour
    9
    """
    found = _times(cells, how)
    inside = found.is_between(_FIRST, _LAST).fill_null(True)
    return found if inside.all() else found.set(~inside, None)


def _times(cells: pl.Series, how: Reading) -> pl.Series:
    kind = cells.dtype
    if isinstance(kind, pl.Datetime):
        fine = cells.cast(pl.Datetime("us", kind.time_zone))
        return fine.dt.convert_time_zone("UTC") if kind.time_zone else _located(fine, how.timezone)
    if kind == pl.Date:
        return _located(cells.cast(pl.Datetime("us")), how.timezone)
    if kind.is_integer():
        return _epoch(cells.cast(pl.Int64, strict=False))
    if kind.is_float():
        return _epoch_seconds(cells.cast(pl.Float64))
    if kind != pl.String:
        return pl.Series(cells.name, [None] * len(cells), dtype=UTC_TIME)
    distinct = cells.drop_nulls().unique()
    read_once = _texts(distinct, how)
    if not len(distinct):
        return pl.Series(cells.name, [None] * len(cells), dtype=UTC_TIME)
    table = pl.DataFrame({"text": distinct, "time": read_once})
    return cells.to_frame("text").join(table, on="text", how="left", maintain_order="left")["time"]


def _texts(texts: pl.Series, how: Reading) -> pl.Series:
    """Each format takes what the ones before it left, so one format costs one pass."""
    frame = pl.DataFrame(
        {"text": texts.str.strip_chars(), "time": pl.Series([None] * len(texts), dtype=UTC_TIME)}
    )
    if how.time_format is not None:
        return _try(frame, how.time_format, how.timezone)["time"]
    shaped = frame.with_columns(
        pl.col("text").str.replace(r"^(\S+)\s+", "${1}T").str.replace(r"T(\S+)\s+([+-]\d|Z)", "T$1$2")
    ).with_columns(pl.col("text").str.replace(r"[zZ]$", "+00:00"))
    digits = shaped["text"].str.contains(r"^\d{9,19}$")
    if digits.any():
        stamps = _epoch(shaped["text"].set(~digits, None).cast(pl.Int64, strict=False))
        shaped = shaped.with_columns(stamps.alias("time"))
    for form in (*_AWARE, *_NAIVE):
        if shaped["time"].null_count() == 0:
            break
        shaped = _try(shaped, form, how.timezone)
    return shaped["time"]


def _try(frame: pl.DataFrame, form: str, zone: str) -> pl.DataFrame:
    """Fill the times still missing by one format."""
    left = frame["time"].is_null()
    texts = frame["text"].filter(left)
    if any(code in form for code in ("%z", "%#z", "%:z")):
        found = texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    elif any(code in form for code in _CLOCK):
        found = _located(texts.str.to_datetime(form, time_unit="us", strict=False), zone)
    else:
        found = _located(texts.str.to_date(form, strict=False).cast(pl.Datetime("us")), zone)
    if left.all():
        return frame.with_columns(found.alias("time"))
    return frame.with_columns(frame["time"].scatter(left.arg_true(), found))


def _located(naive: pl.Series, zone: str) -> pl.Series:
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _epoch(stamps: pl.Series) -> pl.Series:
    """Seconds, milli-, micro- or nanoseconds since 1970, told apart by size (years 1973 to 5138)."""
    frame = stamps.to_frame("n")
    n = pl.col("n")
    micros = (
        pl.when(n.abs() < 10**11)
        .then(n * 1_000_000)
        .when(n.abs() < 10**14)
        .then(n * 1_000)
        .when(n.abs() < 10**17)
        .then(n)
        .otherwise(n // 1_000)
    )
    return frame.select(pl.from_epoch(micros, time_unit="us").cast(UTC_TIME)).to_series()


def _epoch_seconds(stamps: pl.Series) -> pl.Series:
    micros = (stamps * 1e6).round(0)
    fits = micros.is_finite() & (micros.abs() < 2**62)
    return pl.from_epoch(micros.set(~fits.fill_null(False), None).cast(pl.Int64), time_unit="us").cast(
        UTC_TIME
    )


def _whole(cells: pl.Series, where: str) -> pl.Series:
    """Int64 where the value is whole ("3", "3.0", 3.0), else null."""
    if cells.dtype.is_integer():
        return cells.cast(pl.Int64, strict=False)
    if cells.dtype.is_float():
        fits = cells.is_finite() & (cells == cells.round(0)) & (cells.abs() < 2**53)
        return cells.set(~fits.fill_null(False), None).cast(pl.Int64)
    text = as_text(cells, where=where)
    return text.str.replace(r"^([+-]?\d+)\.0*$", "$1").str.replace(r"^\+", "").cast(pl.Int64, strict=False)


def _decimal(cells: pl.Series, how: Reading, where: str) -> pl.Series:
    if cells.dtype.is_integer():
        return cells.cast(pl.String).cast(_PRECISE, strict=False)
    text = as_text(cells, where=where) if not cells.dtype.is_float() else cells.cast(pl.String)
    return _dotted(text, how).cast(_PRECISE, strict=False)


def _dotted(text: pl.Series, how: Reading) -> pl.Series:
    """With a decimal comma, points and spaces group thousands; with a point nothing groups."""
    if how.decimal == ",":
        return text.str.replace_all(r"[.\s]", "").str.replace(",", ".", literal=True)
    return text
