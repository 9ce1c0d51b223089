"""What a column is: number, category, date, text, or nothing to learn from; found on training rows, and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.date_text import read_dates

Kind = Literal["number", "category", "date", "text", "left out"]
BLANKS = ("", "nan", "na", "n/a", "null", "none", "nat", "inf", "-inf", "infinity", "-infinity")
LIKE = 0.99  # share of the values that must read as dates
MOSTLY = 0.8  # share of the values that must read as numbers; words between them are values of a category
CALENDAR_DAYS = (
    330.0  # a year's course can be learned from so many days, and where rows come later, from twice as many
)
ID_SHARE = 0.98  # a text column with more different values than this share of rows is an id
KEY_SHARE = 0.8  # a column with fewer different values than this share of rows can be counted
DAY_S = 86_400.0
UNKNOWN_MOMENT = -(2**63)
FEW_ROWS = 50  # with fewer rows nothing is called an id
WORDS = 4.0  # words in a value, on average, from which on it is text


@dataclass(frozen=True)
class Column:
    """A column as training found it. ``is_category``: also coded (whole numbers may be codes); ``is_key``: values
    come back often enough to be counted; ``calendar``: a date that spans enough days to know seasons by; ``note``:
    why it is left out, or what was done to it."""

    name: str
    kind: Kind
    is_category: bool = False
    is_key: bool = False
    note: str = ""
    calendar: bool = False


def describe(column: pl.Series, *, text: bool = False, least_count: int = 10) -> Column:
    """The kind of a column. ``text``: the caller says that it is text; ``least_count``: rows a code needs.

    >>> describe(pl.Series("colour", ["red", "blue"] * 40)).kind
    'category'
    >>> describe(pl.Series("size", [None, None])).note
    'size is left out: all values are missing'
    """
    name, n = column.name, len(column)
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return _out(name, f"its type is {column.dtype}")
    values = cleaned(column).drop_nulls()
    if not len(values):
        return _out(name, "all values are missing")
    distinct = values.n_unique()
    if text:
        return Column(name, "text")
    if distinct == 1:
        if len(values) == n:
            return _out(name, f"it is {values[0]!r} in every row")
        return Column(name, "category", is_category=True, note=f"{name}: one value or none")
    if column.dtype == pl.Boolean or isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        return Column(name, "category", is_category=True, is_key=True)
    if column.dtype.is_temporal() and column.dtype not in (pl.Duration, pl.Time):
        return date(name, values)
    numbers = numbers_of(values)
    if column.dtype.is_numeric() or np.isfinite(numbers).mean() >= MOSTLY:
        return _number(name, values, numbers, n, distinct, least_count)
    dates = dates_of(values)
    if dates.is_not_null().mean() >= LIKE:  # type: ignore[operator]
        return date(name, dates)
    words = values.cast(pl.String).str.count_matches(r"\S+").mean()
    if isinstance(words, float) and words >= WORDS and distinct > 0.2 * len(values):
        return Column(name, "text")
    if n >= FEW_ROWS and distinct > ID_SHARE * len(values):
        return _out(name, f"it is an id: {distinct:,} different values in {len(values):,} rows")
    return Column(name, "category", is_category=True, is_key=distinct <= KEY_SHARE * len(values))


def date(name: str, values: pl.Series, *, years: float = 1.0) -> Column:
    """A date; ``years`` that it has to span for its seasons to be told."""
    seconds = numbers_of(dates_of(values))
    span = float(np.ptp(seconds[np.isfinite(seconds)])) if np.isfinite(seconds).any() else 0.0
    return Column(name, "date", calendar=span >= years * CALENDAR_DAYS * DAY_S)


def _number(
    name: str, values: pl.Series, numbers: npt.NDArray[np.float64], n: int, distinct: int, least_count: int
) -> Column:
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return _out(name, "no value is a number of usual size")
    whole = bool((known == np.round(known)).all()) and float(np.abs(known).max()) < 2**53
    dense = whole and float(np.ptp(known)) < 2 * distinct
    if n >= FEW_ROWS and whole and dense and distinct == len(known) == n:
        return _out(name, "it numbers the rows")
    words = len(known) < len(numbers) and values.dtype == pl.String
    if (not whole and not words) or distinct < 3:
        return Column(name, "number")
    counts = values.value_counts()["count"].to_numpy()
    # Whole numbers may be amounts or codes; where most rows hold values that come back, they are read as both. So
    # are numbers with words between them: the words are values of their own.
    covered = counts[counts >= least_count].sum() / len(values)
    return Column(
        name, "number", is_category=words or bool(covered >= 0.5), is_key=distinct <= KEY_SHARE * len(values)
    )


def cleaned(column: pl.Series) -> pl.Series:
    """Blank text, words for nothing, NaN and infinity become null.

    >>> cleaned(pl.Series([" ", "NaN", "x"])).to_list(), cleaned(pl.Series([1.0, float("inf")])).to_list()
    ([None, None, 'x'], [1.0, None])
    """
    if column.dtype.is_float():
        return column.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series()
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        return text.to_frame().select(
            pl.when(~pl.first().str.to_lowercase().is_in(BLANKS)).then(pl.first())
        ).to_series()  # fmt: skip
    return column


def numbers_of(column: pl.Series) -> npt.NDArray[np.float64]:
    """(n,) float64 of a column of any type; NaN where a value is not a finite number. Durations are in seconds.

    >>> numbers_of(pl.Series(["1.5", "x", None])).tolist()
    [1.5, nan, nan]
    """
    if column.dtype == pl.Duration:
        values = column.dt.total_microseconds().cast(pl.Float64) / 1e6
    elif column.dtype == pl.Time:
        values = column.cast(pl.Int64).cast(pl.Float64) / 1e9
    elif column.dtype.is_temporal():
        values = column.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 1e6
    else:
        values = column.cast(pl.Float64, strict=False)
    found: npt.NDArray[np.float64] = values.fill_null(float("nan")).to_numpy().astype(np.float64)
    return np.where(np.abs(found) < 3e38, found, np.nan)  # what float32 can hold


def dates_of(column: pl.Series) -> pl.Series:
    """A column as datetimes in UTC without zone; null where a value is no date.

    >>> dates_of(pl.Series(["2024-03-01 9:30", "soon"]))[0].hour
    9
    """
    if column.dtype.is_temporal():
        if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.cast(pl.Datetime("us"), strict=False)
    return read_dates(column.cast(pl.String, strict=False))


def moments_of(column: pl.Series) -> tuple[npt.NDArray[np.int64], bool]:
    """(n,) when each row happened: microseconds of a clock, or the order that numbers give; and whether it is a
    clock. A value that cannot be read is the least int64.

    >>> moments_of(pl.Series(["2024-01-01"]))[1], moments_of(pl.Series([3]))[0].tolist()
    (True, [3000000])
    """
    values = cleaned(column)
    dates = dates_of(values) if not values.dtype.is_numeric() else values
    clock = not values.dtype.is_numeric() and dates.null_count() < len(dates)
    if clock:
        found = dates.dt.timestamp("us").fill_null(UNKNOWN_MOMENT).to_numpy().astype(np.int64)
        return found, True
    numbers = numbers_of(values)
    scaled = np.round(np.clip(numbers, -9e12, 9e12) * 1e6)
    return np.where(np.isfinite(numbers), scaled, float(UNKNOWN_MOMENT)).astype(np.int64), False


def _out(name: str, why: str) -> Column:
    return Column(name, "left out", note=f"{name} is left out: {why}")
