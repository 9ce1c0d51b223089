"""Any table file as columns of types: the encoding, the separator and the header are found; text that is dates or
numbers becomes dates or numbers."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from storewise.core.errors import DataError
from storewise.data.date_text import dates_of_numbers, named_like_a_date, read_dates
from storewise.data.number_text import read_numbers
from storewise.data.sources.raw import read_bytes

SEPARATORS = (",", "\t", ";", "|")
SAMPLE_ROWS = (
    100_000  # read to find a column's type; a file that breaks it later is read again with text columns
)
SUFFIXES = (".csv", ".tsv", ".txt")
PACKED = (".gz", ".xz", ".bz2")
LIKE = 0.99  # share of the values that must be dates


def read_table(path: Path, *, known: Sequence[str] = ()) -> pl.DataFrame:
    """The table of a CSV, TSV or Parquet file, packed or not.

    The separator is read off the first line. A first line that holds numbers, or the same name twice, is a row and
    not a header (columns are then ``column_1``, ``column_2`` …), unless one of its cells is of ``known`` names.
    Text is UTF-8, UTF-16 with its mark, GB 18030 or Windows-1252, the first that fits.

    Raises:
        DataError: when it cannot be read or has no rows.
    """
    name = path.name.lower()
    for suffix in PACKED:
        name = name.removesuffix(suffix)
    if not name.endswith((*SUFFIXES, ".parquet", ".pq")):
        raise DataError(
            f"{path.name} is no table that can be read.", next_step="Give a .csv, .csv.gz or .parquet."
        )
    content = read_bytes(path)
    try:
        if name.endswith((".parquet", ".pq")):
            frame = pl.read_parquet(io.BytesIO(content))
        else:
            frame = _delimited(content, known)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} cannot be read: {reason}.{_odd_line(content) if name.endswith(SUFFIXES) else ''}",
            next_step="Correct the file.",
        ) from error
    if not len(frame):
        raise DataError(f"{path} has no rows.", next_step="Give a table with a header and rows.")
    return frame.with_columns([typed(frame[name]) for name in frame.columns])


def typed(column: pl.Series) -> pl.Series:
    """Text that is dates or numbers in other than the plain form, and numbers that a name and their size make
    moments, as such; any other column as it is.

    >>> typed(pl.Series("ordered_at", [1700000000])).dtype == pl.Datetime("us")
    True
    """
    if column.dtype.is_integer() and named_like_a_date(column.name):
        found = dates_of_numbers(column)
        return column if found is None else found
    if column.dtype != pl.String or not len(column.drop_nulls().head(1)):
        return column
    dates = read_dates(column, share=LIKE)
    if dates.null_count() < len(dates):
        return dates
    if (hours := _hours(column)) is not None:
        return hours
    plain = column.head(SAMPLE_ROWS).cast(pl.Float64, strict=False).null_count()
    if plain < len(column.head(SAMPLE_ROWS)) * 0.5:
        return column  # what reads as plain numbers, words between them, is left to those who learn of it
    numbers = read_numbers(column)
    return column if numbers is None else numbers


def _hours(column: pl.Series) -> pl.Series | None:
    """Times of a day, where every value is one."""
    if not column.drop_nulls().head(100).str.contains(r"^\s*\d{1,2}:\d\d").all():
        return None
    text = column.str.strip_chars()
    reads = (text.str.to_time(form, strict=False) for form in ("%H:%M:%S%.f", "%H:%M"))
    return next((found for found in reads if found.null_count() == column.null_count()), None)


def _delimited(content: bytes, known: Sequence[str]) -> pl.DataFrame:
    text = decoded(content)
    lines = text.lstrip(b"\r\n").split(b"\n", 1)
    first = lines[0].decode().rstrip("\r")
    separator = max(SEPARATORS, key=first.count)
    cells = next(csv.reader([first], delimiter=separator), [])
    header = is_header(cells, known)
    names = cells if header else [f"column_{number}" for number in range(1, len(cells) + 1)]
    about: dict[str, Any] = {
        "separator": separator, "has_header": header, "new_columns": _distinct(names),
    }  # fmt: skip
    try:
        return pl.read_csv(io.BytesIO(text), infer_schema_length=SAMPLE_ROWS, **about)
    except pl.exceptions.ComputeError:
        return pl.read_csv(io.BytesIO(text), infer_schema=False, **about)


def decoded(content: bytes) -> bytes:
    """UTF-8 without its mark, whatever the bytes were.

    >>> decoded("größe".encode("cp1252")).decode(), decoded("价格,标签\\n".encode("gb18030")).decode().strip()
    ('größe', '价格,标签')
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16").encode()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _of_old_encoding(content).encode()
    return content.removeprefix(b"\xef\xbb\xbf")


def _of_old_encoding(content: bytes) -> str:
    """Bytes above 127 that come in pairs which are Chinese characters are GB 18030; single ones Windows-1252."""
    try:
        chinese = content.decode("gb18030")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
    start = chinese[:SAMPLE_ROWS]
    odd = [letter for letter in start if ord(letter) > 127]
    usual = sum("\u4e00" <= letter <= "\u9fff" or "\u3000" <= letter <= "\uffef" for letter in odd)
    # A Chinese character seldom stands alone; an accented letter of western text nearly always does.
    runs = sum(1 for a, b in itertools.pairwise(start) if ord(a) > 127 and ord(b) > 127)
    paired = usual > 0.9 * len(odd)
    return chinese if paired and runs >= 0.3 * len(odd) else content.decode("cp1252", errors="replace")


def is_header(cells: Sequence[str], known: Sequence[str] = ()) -> bool:
    """Names are all different, and no name is a number; a line with a name that is ``known`` is one anyway.

    >>> is_header(["id", "2023", "bought"]), is_header(["id", "2023", "bought"], ["bought"])
    (False, True)
    """
    names = [cell.strip() for cell in cells]
    if set(known) & set(names):
        return True
    return len(set(names)) == len(names) and not any(
        name.lstrip("-").replace(".", "", 1).isdigit() for name in names
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """A name that was there before gets a number; one that is empty is called by its place."""
    found: list[str] = []
    for place, name in enumerate(names, 1):
        wanted, k = name or f"column_{place}", 2
        while wanted in found:
            wanted, k = f"{name or f'column_{place}'}_{k}", k + 1
        found.append(wanted)
    return found


def _odd_line(content: bytes) -> str:
    """Which line has more cells than the first, if one has."""
    text = decoded(content).decode(errors="replace")
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count))
    width = 0
    try:
        for cells in reader:
            width = width or len(cells)
            if len(cells) > width:
                return f" Line {reader.line_num} has {len(cells)} cells, the first {width}."
    except csv.Error as error:
        return f" Line {reader.line_num}: {error}."
    return ""
