"""Invoice lines of Online Retail in one typed shape, whatever file they came in."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from storewise.core.errors import DataError
from storewise.data.cells import Reading, read_times
from storewise.data.sources.raw import read_raw

# Our name, then the names under which the table has been published (2010 edition, 2011 edition).
_NAMES = {
    "invoice": ("Invoice", "InvoiceNo"),
    "code": ("StockCode",),
    "description": ("Description",),
    "quantity": ("Quantity",),
    "local_time": ("InvoiceDate",),
    "price": ("Price", "UnitPrice"),
    "customer_id": ("Customer ID", "CustomerID"),
    "country": ("Country",),
}
# As Excel writes times in America (the 2011 edition) and in Britain; both are tried as a whole.
_SLASHED = ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")
SHOP_ZONE = "Europe/London"


def read_lines(path: Path) -> pl.DataFrame:
    """Every line of the table, in file order, with types that may be null where a cell makes no sense.

    Columns: line (1-based in the file), invoice, code (as written), description (trimmed, single spaces,
    null when empty), quantity (int), at (UTC), price (float, GBP), customer_id, country.

    Raises:
        DataError: the file cannot be read, or a column is missing.
    """
    raw = read_raw(path)
    found = _find_columns(raw, path)
    lines = raw.select("line", *(pl.col(theirs).alias(ours) for ours, theirs in found.items()))
    return lines.with_columns(
        pl.col("invoice", "code", "country").cast(pl.String),
        _clean_texts(lines["description"]),
        pl.col("quantity").cast(pl.Int64, strict=False),
        _utc(lines["local_time"]),
        pl.col("price").cast(pl.Float64, strict=False),
        pl.col("customer_id").cast(pl.String).str.strip_suffix(".0"),
    ).drop("local_time")


def _find_columns(raw: pl.DataFrame, path: Path) -> dict[str, str]:
    found = {}
    for ours, names in _NAMES.items():
        present = [name for name in names if name in raw.columns]
        if not present:
            raise DataError(
                f"{path} has no column {names[0]!r}; its columns are {', '.join(raw.columns)}.",
                next_step="Pass the Online Retail II table with its original column names.",
            )
        found[ours] = present[0]
    return found


def _clean_texts(texts: pl.Series) -> pl.Series:
    """Trimmed, with single spaces; what is empty then is null. Only distinct texts are looked at: few stand for many."""
    written = texts.cast(pl.String).unique().drop_nulls()
    clean = written.str.replace_all(r"\s+", " ").str.strip_chars()
    clean = clean.set(clean == "", None)
    changed = clean.ne_missing(written)
    return texts.cast(pl.String).replace(written.filter(changed), clean.filter(changed)).alias("description")


def _utc(times: pl.Series) -> pl.Series:
    """Local times of the shop as UTC; times that do not exist (or cannot be parsed) are null."""
    found = read_times(times, Reading(SHOP_ZONE))
    if times.dtype == pl.String and found.null_count() > times.null_count():
        slashed = [read_times(times, Reading(SHOP_ZONE, time_format=form)) for form in _SLASHED]
        found = min([found, *slashed], key=lambda column: column.null_count())
    return found.alias("at")
