"""Dates written as text or as numbers, in whatever of the usual forms a column keeps to: found by trying, then read."""

from __future__ import annotations

import re
from itertools import product

import polars as pl

DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y",
    "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y",
    "%B %d, %Y", "%a, %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M:%S%.f", " %H:%M", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S%.f%#z", " %H:%M%#z", " %H:%M:%S%.f %#z",
)  # fmt: skip
DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
SAMPLE = 2_000
LIKE = 0.99  # share of the values that must be dates
FIRST_S, LAST_S = 631_152_000, 4_102_444_800  # 1990 to 2100: numbers outside are no moments
UNITS = (1, 10**3, 10**6, 10**9)  # in a second
NAMES = re.compile(
    r"(^|[_\W])(date|time|datetime|timestamp|day|dt|ts|at|on|epoch|created|updated)($|[_\W\d])|时间|日期", re.IGNORECASE
)  # fmt: skip


def read_dates(column: pl.Series, *, share: float = 0.0) -> pl.Series:
    """Text as datetimes in UTC without zone (µs), all in the one form that reads most of them; null where it is no
    date, and everywhere when less than ``share`` of the values are.

    Of forms that read equally many, day before month is taken (01/02/2024 is in February).

    >>> read_dates(pl.Series(["03/01/2024", "25/01/2024", "soon"])).dt.to_string("%m-%d").to_list()
    ['01-03', '01-25', None]
    >>> read_dates(pl.Series(["2024-01-03T00:30:00+02:00"]))[0].day
    2
    """
    nothing = pl.Series(column.name, [None] * len(column), dtype=pl.Datetime("us"))
    some = column.drop_nulls()
    few = _plain(some if len(some) <= SAMPLE else some.gather_every(-(-len(some) // SAMPLE))).drop_nulls()
    if not len(few):
        return nothing
    counts = {form: len(few) - _parsed(few, form).null_count() for form in _forms(few)}
    most = max(counts.values(), default=0)
    if not most or most < share * len(few) - 1:
        return nothing
    best = [form for form, n in counts.items() if n >= most - max(1, len(few) // 100)]
    text = _plain(column)
    found = min((_parsed(text, form) for form in best), key=pl.Series.null_count)
    read, known = len(found) - found.null_count(), len(text) - text.null_count()
    return found.alias(column.name) if read >= share * known else nothing


def dates_of_numbers(column: pl.Series) -> pl.Series | None:
    """Whole numbers that are seconds to nanoseconds since 1970, or YYYYMMDD, as datetimes; None where they are not.

    >>> dates_of_numbers(pl.Series([20240103, 20240104]))[1].day, dates_of_numbers(pl.Series([7, 9]))
    (4, None)
    """
    if not column.dtype.is_numeric() or column.dtype.is_decimal():
        return None
    if column.dtype.is_float():
        column = column.fill_nan(None)
    whole = column.cast(pl.Int64, strict=False)
    low, high = whole.min(), whole.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    for scale in UNITS:
        if FIRST_S * scale <= low and high < LAST_S * scale:
            micros = (column.cast(pl.Float64) * (1e6 / scale)).round()
            return micros.cast(pl.Int64).cast(pl.Datetime("us"))
    if low >= 19_000_101 and high <= 21_001_231:
        found = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False).cast(pl.Datetime("us"))
        return found if found.null_count() == column.null_count() else None
    return None


def named_like_a_date(name: str) -> bool:
    """True for names such as created_at, orderDate, 下单时间.

    >>> named_like_a_date("orderDate"), named_like_a_date("category")
    (True, False)
    """
    return bool(NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)))


def _plain(column: pl.Series) -> pl.Series:
    """One space for the T of ISO 8601, no sign of UTC at the end, hyphens for Chinese dates; null without a digit."""
    text = column.cast(pl.String, strict=False).str.strip_chars()
    text = text.str.replace(r"^(\d{4}\D\d{1,2}\D\d{1,2})T(\d)", "$1 $2").str.replace(
        r"(\d)\s*(?:Z|z|UTC|GMT)$", "$1"
    )
    text = text.str.replace(r"^(\d{4})年(\d{1,2})月(\d{1,2})日", "$1-$2-$3").str.replace(
        r"(:\d\d),(\d)", "$1.$2"
    )
    text = text.str.replace(r"^(\d{4})-(\d{2})$", "$1-$2-01")
    return text.to_frame().select(pl.when(pl.first().str.contains(r"\d")).then(pl.first())).to_series()


def _forms(text: pl.Series) -> list[str]:
    """What is worth trying: none for text without separators, unless its digits alone are a date."""
    length = text.str.len_chars()
    if text.str.contains(r"^\d+$").all():
        lengths = length.unique().to_list()
        return [DIGITS[lengths[0]]] if len(lengths) == 1 and lengths[0] in DIGITS else []
    if not text.str.contains(r"\d[-/. :]|[A-Za-z] \d").any():
        return []
    return [date + clock for clock, date in product(CLOCKS, DATES)]


def _parsed(text: pl.Series, form: str) -> pl.Series:
    if "%#z" in form:
        aware = text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
        return aware.dt.replace_time_zone(None)
    if not any(clock in form for clock in ("%H", "%I")):
        found = text.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    else:
        found = text.str.to_datetime(form, strict=False, time_unit="us")
    # A year of two digits read as one of four is no date.
    return found.to_frame().select(pl.when(pl.first().dt.year() >= 1000).then(pl.first())).to_series()
