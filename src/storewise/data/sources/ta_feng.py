"""Ta-Feng: four months of a Taiwanese grocery, 2000-11 to 2001-02, with what each line earned and cost.

One table (Parquet or CSV): TRANSACTION_DT, CUSTOMER_ID, AGE_GROUP, PIN_CODE, PRODUCT_SUBCLASS, PRODUCT_ID, AMOUNT (units),
ASSET (cost of the line), SALES_PRICE (revenue of the line), both in New Taiwan dollars.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from storewise.core.errors import DataError
from storewise.core.money import exponent
from storewise.core.progress import Progress, step
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, ShopTables
from storewise.data.sources.folder import required
from storewise.data.sources.prices import regular_prices
from storewise.data.sources.raw import read_raw
from storewise.data.sources.sift import Rule, sift

CURRENCY = "TWD"
_MINOR: int = 10 ** exponent(CURRENCY)
ZONE = "Asia/Taipei"
_NUMBERS = ("AMOUNT", "ASSET", "SALES_PRICE")
_TEXTS = ("CUSTOMER_ID", "AGE_GROUP", "PIN_CODE", "PRODUCT_SUBCLASS", "PRODUCT_ID")
_CELLS = ("TRANSACTION_DT", *_TEXTS, *_NUMBERS)
_NO_REGION = ("Unknown", "Others")


def load(path: Path | None, *, progress: Progress) -> ShopTables:
    """Lines as purchases; price is revenue by units, and what one unit costs is an attribute of the product.

    Only days are known: a line is put at noon in Taipei, so that its day is the same in UTC. The lines of one
    customer on one day are a session. Titles do not exist (the code stands for them), the subclass is the
    category.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    with step(progress, "reading transactions"):
        rows = _read(required(path, "ta-feng"))
    with step(progress, "sorting transactions"):
        kept, out, report = sift(rows, _rules(), "events", cells=_CELLS, example=("PRODUCT_ID", *_NUMBERS))
        kept = kept.with_columns(_minor("SALES_PRICE").alias("unit_price_minor"))
    products, customers = _products(kept), _customers(kept)
    report.add("products", "kept", "code", products.height)
    report.add("customers", "kept", "customer", customers.height)
    return ShopTables(
        products=products, events=_events(kept), customers=customers, rejects=out, report=report
    )


def _read(path: Path) -> pl.DataFrame:
    raw = read_raw(path)
    missing = [name for name in _CELLS if name not in raw.columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(raw.columns)}.",
            next_step="Pass the Ta-Feng table with its published column names.",
        )
    day = pl.col("TRANSACTION_DT")
    if raw["TRANSACTION_DT"].dtype == pl.String:
        written = day.str.head(10)
        day = pl.coalesce(written.str.to_date(form, strict=False) for form in ("%Y-%m-%d", "%m/%d/%Y"))
    noon = day.cast(pl.Date, strict=False).dt.combine(pl.time(12))
    return raw.select(
        "line",
        "TRANSACTION_DT",
        pl.col(*_TEXTS).cast(pl.String),
        pl.col(*_NUMBERS).cast(pl.Int64, strict=False),
        at=noon.dt.replace_time_zone(ZONE).dt.convert_time_zone("UTC"),
    )


def _rules() -> tuple[Rule, ...]:
    ids = pl.any_horizontal(pl.col("CUSTOMER_ID", "PRODUCT_ID", "at").is_null())
    units, revenue = pl.col("AMOUNT"), pl.col("SALES_PRICE")
    uneven = (revenue * _MINOR) % units != 0
    return (
        Rule("rejected", "customer, product or day is missing or unreadable", ids),
        Rule("rejected", "units or revenue are no whole numbers", units.is_null() | revenue.is_null()),
        Rule("rejected", "units are below 1 or revenue is negative", (units < 1) | (revenue < 0)),
        Rule("repaired", "revenue is no multiple of the units: unit price rounded", uneven),
        Rule("kept", "as it was read", pl.lit(True)),
    )


def _minor(line_amount: str) -> pl.Expr:
    """What one unit has of the line's amount, in minor units."""
    unit = pl.col(line_amount) * _MINOR / pl.col("AMOUNT")
    return unit.round().cast(pl.Int64)


def _events(kept: pl.DataFrame) -> pl.DataFrame:
    # The session is a number within its day, because a customer's id must not get into other columns.
    basket = pl.col("CUSTOMER_ID").rank("dense").over("at").cast(pl.String)
    events = kept.select(
        "at",
        "unit_price_minor",
        customer_id="CUSTOMER_ID",
        product_id="PRODUCT_ID",
        session_id=pl.concat_str(pl.col("at").dt.date().cast(pl.String), pl.lit("-"), basket),
        kind=pl.lit("purchase"),
        quantity="AMOUNT",
        currency=pl.lit(CURRENCY),
    )
    return EVENTS.conform(events).sort("at", maintain_order=True)


def _products(kept: pl.DataFrame) -> pl.DataFrame:
    """The most frequent subclass, the latest regular price, the latest known unit cost."""
    lines = kept.rename({"PRODUCT_ID": "product_id"})
    ranked = lines.group_by("product_id", "PRODUCT_SUBCLASS").len().sort("len", "PRODUCT_SUBCLASS")
    subclass = ranked.group_by("product_id", maintain_order=True).agg(category=pl.last("PRODUCT_SUBCLASS"))
    known = lines.filter(pl.col("ASSET") > 0).sort("at", maintain_order=True)
    cost = known.group_by("product_id").agg(unit_cost_minor=_minor("ASSET").last())
    products = (
        subclass.join(
            regular_prices(lines.filter(pl.col("unit_price_minor") > 0)), on="product_id", how="left"
        )
        .join(cost, on="product_id", how="left")
        .sort("product_id")
    )
    return PRODUCTS.conform(
        products.with_columns(
            title=pl.col("product_id"),
            currency=pl.lit(CURRENCY),
            attributes=pl.struct("unit_cost_minor").struct.json_encode(),
        )
    )


def _customers(kept: pl.DataFrame) -> pl.DataFrame:
    region = pl.col("PIN_CODE").replace(dict.fromkeys(_NO_REGION, None))
    people = kept.group_by("CUSTOMER_ID").agg(
        age_group=pl.col("AGE_GROUP").drop_nulls().first(), region=region.drop_nulls().first()
    )
    return CUSTOMERS.conform(
        people.sort("CUSTOMER_ID").select(
            customer_id="CUSTOMER_ID",
            country=pl.lit("Taiwan"),
            attributes=pl.struct("age_group", "region").struct.json_encode(),
        )
    )
