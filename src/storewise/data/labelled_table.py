"""Reading a table with a yes/no outcome: any CSV, CSV.gz or Parquet file, and which value means that it happened."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError

YES = ("1", "1.0", "true", "yes", "y", "t")
NO = ("0", "0.0", "false", "no", "n", "f", "-1", "-1.0")
SEPARATORS = (",", "\t", ";", "|")
SAMPLE_ROWS = (
    100_000  # read to find a column's type; a file that breaks it later is read again with text columns
)


@dataclass(frozen=True)
class LabelledTable:
    """``frame``: all columns but the label, rows without a label left out; ``labels`` (n,) 0 or 1; ``event``: the
    value that counts as 1; ``notes``: what was done."""

    frame: pl.DataFrame
    labels: npt.NDArray[np.float64]
    event: str
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> pl.DataFrame:
    """The table of a CSV, CSV.gz, TSV or Parquet file; the separator is read off the first line, and a first line
    that holds numbers is a row, not a header (columns are then ``column_1``, ``column_2`` …).

    Raises:
        DataError: when it cannot be read or has no rows.
    """
    try:
        frame = _read(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}.", next_step="Check the file.") from error
    if not len(frame):
        raise DataError(f"{path} has no rows.", next_step="Give a table with a header and rows.")
    return frame


def _read(path: Path) -> pl.DataFrame:
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        return pl.read_parquet(path)
    if not name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")):
        raise DataError(
            f"{path.name} is no table that can be read.", next_step="Give a .csv, .csv.gz or .parquet."
        )
    with (
        gzip.open(path, "rt", encoding="utf-8", errors="replace")
        if name.endswith(".gz")
        else path.open(encoding="utf-8", errors="replace") as file
    ):
        first = file.readline().rstrip("\r\n")
    separator = max(SEPARATORS, key=first.count)
    cells = first.split(separator)
    header = _is_header(cells)
    names = None if header else [f"column_{number}" for number in range(1, len(cells) + 1)]
    about: dict[str, Any] = {"separator": separator, "has_header": header, "new_columns": names}
    try:
        return pl.read_csv(path, infer_schema_length=SAMPLE_ROWS, try_parse_dates=True, **about)
    except pl.exceptions.ComputeError:
        return pl.read_csv(path, infer_schema=False, **about)


def _is_header(cells: list[str]) -> bool:
    """Names are all different, and no name is a number; a table without them has column_1, column_2 …"""
    names = [cell.strip().strip('"') for cell in cells]
    return len(set(names)) == len(names) and not any(
        name.lstrip("-").replace(".", "", 1).isdigit() for name in names
    )


def with_label(frame: pl.DataFrame, label: str, *, where: str = "The table") -> LabelledTable:
    """Part a table into features and the label: 0/1, true/false, yes/no, or any two values.

    Of two values that say neither yes nor no, the rarer one is the event (of two equally frequent ones, the later
    in the alphabet), and a note says so.

    Raises:
        DataError: for a column that is not there, or does not hold two values.

    >>> table = with_label(pl.DataFrame({"x": [1, 2, 3], "bought": ["yes", "no", None]}), "bought")
    >>> table.labels.tolist(), table.notes
    ([1.0, 0.0], ('1 row without a label is left out',))
    """
    need_columns(frame, (label,), where=where)
    column = frame[label]
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise DataError(f"{label!r} has the type {column.dtype}.", next_step="Name a column of two values.")
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    text = text.to_frame().select(
        pl.when(~pl.first().is_in(["", "nan", "null", "na", "inf", "-inf"])).then(pl.first())
    ).to_series()  # fmt: skip
    known = text.is_not_null()
    counts = text.drop_nulls().value_counts(sort=True)
    values, n = [str(v) for v in counts[text.name]], len(counts)
    if n < 2:
        held = f"{values[0]!r} in all rows" if n else "nothing"
        raise DataError(
            f"{label!r} holds {held}: one class cannot be learned.", next_step="Give rows of both outcomes."
        )
    if n > 2:
        shown = ", ".join(values[:5]) + (" …" if n > 5 else "")
        raise DataError(
            f"{label!r} has {n:,} values ({shown}); two are needed.", next_step="Make a 0/1 column of it."
        )
    event, guessed = _event(values, counts["count"].to_list())
    notes = [f"{label} = {event!r} is taken for the event"] if guessed else []
    missing = int((~known).sum())
    if missing:
        notes.insert(
            0,
            f"{missing:,} row{'s' if missing > 1 else ''} without a label {'are' if missing > 1 else 'is'} left out",
        )
    labels = (text.filter(known) == event).to_numpy().astype(np.float64)
    return LabelledTable(frame.filter(known).drop(label), labels, event, tuple(notes))


def need_columns(frame: pl.DataFrame, names: tuple[str, ...], *, where: str = "The table") -> None:
    """Raise for columns that are not there.

    Raises:
        DataError: naming them, and those that are.
    """
    if absent := [name for name in names if name not in frame.columns]:
        shown = ", ".join(frame.columns[:30]) + (" …" if len(frame.columns) > 30 else "")
        raise DataError(
            f"{where} has no column {', '.join(map(repr, absent))}.", next_step=f"Its columns are: {shown}."
        )


def _event(values: list[str], counts: list[int]) -> tuple[str, bool]:
    for one, other in (values, values[::-1]):
        if one in YES and other in NO:
            return one, False
    rarer = sorted(zip(counts, [-ord(v[0]) for v in values], values, strict=True))[0][2]
    return rarer, True
