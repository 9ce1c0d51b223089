"""The tables of a shop: the only place that knows their columns.

Times are UTC (``Datetime("us", "UTC")``), money is integer minor units beside a currency, ids are strings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

UTC_TIME = pl.Datetime("us", "UTC")
KINDS = ("impression", "view", "click", "cart", "purchase", "return", "rating")
EVENT_KIND = pl.Enum(KINDS)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract. ``minimum``/``maximum`` bound numbers, both inclusive."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the contract: its columns in order and the ones that identify a row."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema())

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The table's columns in order: missing ones null, others dropped, types cast."""
        present = [
            (pl.col(c.name) if c.name in frame.columns else pl.lit(None)).cast(c.dtype).alias(c.name)
            for c in self.columns
        ]
        return frame.select(present)


PRODUCTS = Table(
    "products",
    (
        Column("product_id", pl.String, required=True),
        Column("title", pl.String, required=True),
        Column("description", pl.String),
        Column("category", pl.String),
        Column("brand", pl.String),
        Column("price_minor", pl.Int64, minimum=0),
        Column("currency", pl.String),
        Column("image", pl.String),
        Column("attributes", pl.String),  # a JSON object
        Column("active", pl.Boolean),
    ),
    key=("product_id",),
)
CUSTOMERS = Table(
    "customers",
    (
        Column("customer_id", pl.String, required=True),
        Column("country", pl.String),
        Column("attributes", pl.String),  # a JSON object
    ),
    key=("customer_id",),
)
EVENTS = Table(
    "events",
    (
        Column("event_id", pl.String),
        Column("at", UTC_TIME, required=True),
        Column("customer_id", pl.String),
        Column("session_id", pl.String),
        Column("product_id", pl.String, required=True),
        Column("kind", EVENT_KIND, required=True),
        Column("quantity", pl.Int32, minimum=1),
        Column("unit_price_minor", pl.Int64, minimum=0),
        Column("currency", pl.String),
        Column("value", pl.Float32),  # the rating, for kind "rating"
        Column("slot", pl.String),
        Column("position", pl.Int32, minimum=0),
        Column("propensity", pl.Float64, minimum=0.0, maximum=1.0),
        Column("query", pl.String),
        Column("known_at", UTC_TIME),  # when the shop learned of an event that came late; null: at its time
    ),
    key=("event_id",),
)
STOCK = Table(
    "stock",
    (
        Column("product_id", pl.String, required=True),
        Column("at", UTC_TIME, required=True),
        Column("on_hand", pl.Int64, required=True),
        Column("on_order", pl.Int64, minimum=0),
        Column("unit_cost_minor", pl.Int64, minimum=0),
        Column("currency", pl.String),
        Column("lead_time_days", pl.Float64, minimum=0),
        Column("pack_size", pl.Int64, minimum=1),
    ),
    key=("product_id", "at"),
)
CAMPAIGNS = Table(
    "campaigns",
    (
        Column("campaign_id", pl.String, required=True),
        Column("name", pl.String),
        Column("starts_at", UTC_TIME),
        Column("ends_at", UTC_TIME),
        Column("attributes", pl.String),  # a JSON object
    ),
    key=("campaign_id",),
)
TABLES = {table.name: table for table in (PRODUCTS, CUSTOMERS, EVENTS, STOCK, CAMPAIGNS)}

Outcome = Literal["kept", "repaired", "set aside", "rejected"]
REPORT_SCHEMA = {
    "table": pl.String,
    "outcome": pl.String,
    "reason": pl.String,
    "rows": pl.Int64,
    "example": pl.String,
}
REJECTS_SCHEMA = {"table": pl.String, "line": pl.Int64, "reason": pl.String, "row": pl.String}


@dataclass
class Report:
    """What became of every row, by table, outcome and reason.

    >>> report = Report()
    >>> report.add("events", "set aside", "postage", 3, example="POST")
    >>> report.frame()["rows"].to_list()
    [3]
    """

    _rows: list[tuple[str, Outcome, str, int, str]] = field(default_factory=list)

    def add(self, table: str, outcome: Outcome, reason: str, rows: int, *, example: str = "") -> None:
        """Count rows; zero is not written."""
        if rows:
            self._rows.append((table, outcome, reason, int(rows), example))

    def set_aside(self, table: str, reason: str, rows: int, *, example: str = "") -> None:
        """Count rows that were kept or repaired so far as set aside, so that the total stays the same.

        >>> report = Report()
        >>> report.add("events", "kept", "as given", 3)
        >>> report.set_aside("events", "known already", 1)
        >>> report.total("events", "kept"), report.total("events")
        (2, 3)
        """
        left = rows
        for outcome in ("kept", "repaired"):
            for place, entry in enumerate(self._rows):
                if left and entry[:2] == (table, outcome):
                    taken = min(left, entry[3])
                    self._rows[place] = (*entry[:3], entry[3] - taken, entry[4])
                    left -= taken
        self._rows = [entry for entry in self._rows if entry[3]]
        self.add(table, "set aside", reason, rows, example=example)

    def copy(self) -> Report:
        return Report(list(self._rows))

    def extend(self, other: Report) -> None:
        self._rows.extend(other._rows)

    def total(self, table: str, *outcomes: Outcome) -> int:
        """Rows of a table with one of the outcomes (all, when none is named)."""
        return sum(r[3] for r in self._rows if r[0] == table and (not outcomes or r[1] in outcomes))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self._rows, schema=REPORT_SCHEMA, orient="row")


@dataclass(frozen=True)
class ShopTables:
    """A shop as a loader gives it: conforming frames, the rows that did not make it, and the counts.

    ``rejects``: columns table, line (1-based, of the source file), reason, row (JSON of the source row).
    Customer ids are still the shop's own; ingest turns them into pseudonyms.
    """

    products: pl.DataFrame
    events: pl.DataFrame
    customers: pl.DataFrame = field(default_factory=CUSTOMERS.empty)
    stock: pl.DataFrame = field(default_factory=STOCK.empty)
    campaigns: pl.DataFrame = field(default_factory=CAMPAIGNS.empty)
    rejects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTS_SCHEMA))
    report: Report = field(default_factory=Report)
