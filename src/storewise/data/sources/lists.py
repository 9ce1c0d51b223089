"""Fixed splits: a folder with ``train.txt`` and ``test.txt`` of ``user item item …`` lines, in no order of time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from storewise.core.progress import Progress, step
from storewise.data.plain import read_lines
from storewise.data.schema import EVENTS, PRODUCTS, Report, ShopTables
from storewise.data.sources.folder import find_all, required
from storewise.data.sources.sequences import in_order, users_of

NO_TIME = datetime(2001, 1, 1, tzinfo=UTC)


def load(path: Path | None, *, progress: Progress) -> ShopTables:
    """The training lines as purchases, all at one moment; what is held out stays out, and is counted.

    ``path``: the folder, or one file of such lines. An item that stands twice in a user's line counts once.

    Raises:
        DataError: a file is missing or is no text, or no line has an item.
    """
    there = required(path, "lists")
    report = Report()
    with step(progress, "reading lists"):
        if there.is_file():
            lines = read_lines(there)
        else:
            train, test = find_all(there, "lists", ("train.txt",), ("test.txt",))
            lines = read_lines(train)
            held_out = sum(len(items) for items in read_lines(test).values())
            report.add("events", "set aside", "held out for tests (test.txt)", held_out)
        given = in_order(lines)
    events = given.unique(["customer_id", "product_id"], keep="first", maintain_order=True)
    report.add("events", "kept", "item of a list", events.height)
    report.add("events", "set aside", "item again in the same list", given.height - events.height)
    products = pl.DataFrame({"product_id": events["product_id"].unique(maintain_order=True)})
    report.add("products", "kept", "item", products.height)
    return ShopTables(
        products=PRODUCTS.conform(products.with_columns(title=pl.col("product_id"))),
        events=EVENTS.conform(events.with_columns(at=pl.lit(NO_TIME))),
        customers=users_of(lines, report),
        report=report,
    )
