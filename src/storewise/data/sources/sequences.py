"""Sequences: one line a user, ``user item item …`` in time order, as S3-Rec, TIGER and others publish Amazon data.

The order is known, the times are not. Events get times one day apart, the last one of everybody on 2001-01-01: they
keep the order and let nothing be said of seasons.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from storewise.core.errors import DataError
from storewise.core.progress import Progress, step
from storewise.data.plain import read_lines
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, UTC_TIME, Report, ShopTables
from storewise.data.sources.folder import find, required
from storewise.data.sources.raw import read_bytes

LAST_DAY = datetime(2001, 1, 1, tzinfo=UTC)
_ENDINGS = (".txt", ".txt.gz", ".txt.xz", ".txt.bz2")


def load(path: Path | None, *, progress: Progress) -> ShopTables:
    """Events of kind ``purchase`` in each user's order; the table "events" of the report counts items.

    ``path``: the file, or a folder with just one such file. Attributes of the items are taken from
    ``<name>_item2attributes.json`` beside it (``{"item": [attribute, …]}``), when it is there.

    Raises:
        DataError: no such file, not text, no line with an item, attributes that are no such JSON.
    """
    file = _sequence_file(required(path, "sequences"))
    with step(progress, "reading sequences"):
        lines = read_lines(file)
        events = in_order(lines)
    products = pl.DataFrame({"product_id": events["product_id"].unique(maintain_order=True)})
    attributes = _attributes(file)
    report = Report()
    report.add("events", "kept", "item of a sequence", events.height)
    report.add("products", "kept", "item", products.height)
    if attributes is not None:
        lone = attributes.join(products, on="product_id", how="anti")
        report.add("products", "set aside", "attributes of an item that is in no sequence", lone.height)
        products = products.join(attributes, on="product_id", how="left", maintain_order="left")
    named = products.with_columns(title=pl.col("product_id"))
    return ShopTables(
        products=PRODUCTS.conform(named),
        events=EVENTS.conform(events).sort("at", maintain_order=True),
        customers=users_of(lines, report),
        report=report,
    )


def users_of(lines: dict[str, list[str]], report: Report) -> pl.DataFrame:
    """The customers of lines with an item; the others are counted as set aside."""
    users = [user for user, items in lines.items() if items]
    report.add("customers", "kept", "user", len(users))
    report.add("customers", "set aside", "user without items", len(lines) - len(users))
    return CUSTOMERS.conform(pl.DataFrame({"customer_id": pl.Series(users, dtype=pl.String)}))


def in_order(lines: dict[str, list[str]]) -> pl.DataFrame:
    """Lines as events: customer_id, product_id, kind, at (ascending by customer).

    >>> in_order({"u": ["a", "b"]}).select("product_id", pl.col("at").dt.date().cast(str)).rows()
    [('a', '2000-12-31'), ('b', '2001-01-01')]
    """
    sizes = np.fromiter((len(items) for items in lines.values()), np.int64, len(lines))
    users = pl.Series(list(lines), dtype=pl.String).gather(np.repeat(np.arange(len(sizes)), sizes))
    items = [item for some in lines.values() for item in some]
    from_end = np.repeat(np.cumsum(sizes), sizes) - 1 - np.arange(len(items))
    days = pl.DataFrame({"back": from_end}).select(at=pl.lit(LAST_DAY) - pl.duration(days="back"))
    return pl.DataFrame({"customer_id": users, "product_id": pl.Series(items, dtype=pl.String)}).with_columns(
        days["at"].cast(UTC_TIME), kind=pl.lit("purchase")
    )


def _sequence_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(item for item in path.iterdir() if item.name.endswith(_ENDINGS))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise DataError(
            f"{path} holds {len(files)} text files ({names}), one is due.",
            next_step="Name the file instead of the folder.",
        )
    return files[0]


def _attributes(file: Path) -> pl.DataFrame | None:
    """product_id, attributes (JSON ``{"attributes": […]}``), or None where no such file is."""
    stem = file.name.split(".txt")[0]
    source = find(file.parent, f"{stem}_item2attributes.json")
    if source is None:
        return None
    try:
        table = json.loads(read_bytes(source))
        rows = [(str(item), json.dumps({"attributes": list(values)})) for item, values in table.items()]
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{source} is no JSON object of lists ({error}).", next_step='Write {"item": [attribute, …]}.'
        ) from error
    return pl.DataFrame(rows, schema={"product_id": pl.String, "attributes": pl.String}, orient="row")
