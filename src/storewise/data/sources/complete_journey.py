"""Complete Journey 2.0 (84.51°): a year of grocery baskets of American households, with coupons and campaigns.

A folder with transactions, products, coupons, campaigns, campaign_descriptions, coupon_redemptions and demographics,
each as Parquet or CSV (a name may end in _sample). Display and mailer promotions have no table in the contract.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from storewise.core.errors import DataError
from storewise.core.progress import Progress, step
from storewise.data.schema import CAMPAIGNS, CUSTOMERS, EVENTS, PRODUCTS, UTC_TIME, Report, ShopTables
from storewise.data.sources.folder import find, find_all
from storewise.data.sources.prices import regular_prices
from storewise.data.sources.raw import read_raw
from storewise.data.sources.sift import Rule, sift

CURRENCY = "USD"
_BUY = ("household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp")
_GOODS = (
    "product_id",
    "manufacturer_id",
    "department",
    "brand",
    "product_category",
    "product_type",
    "package_size",
)
_PEOPLE = (
    "age",
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_comp",
    "kids_count",
)


def load(path: Path | None, *, progress: Progress) -> ShopTables:
    """Baskets as purchases (session: the basket), the catalogue, households, and campaigns.

    ``unit_price_minor`` is what the shop received for the line by its units: after loyalty and shelf
    discounts, before the manufacturer's coupons. Times are UTC in the source. Fuel, sold by thousandths of a
    gallon, coupons and lines without units are set aside.

    Raises:
        DataError: transactions or products are missing, cannot be read or lack a column.
    """
    found = find_all(path, "complete-journey", _names("transactions"), _names("products"))
    folder = found[0].parent
    with step(progress, "reading products and baskets"):
        goods = _columns(found[1], _GOODS).with_columns(pl.col(_GOODS).cast(pl.String))
        rows = _transactions(found[0])
    with step(progress, "sorting baskets"):
        rows = rows.join(
            goods.select("product_id", "department", "product_type"),
            on="product_id",
            how="left",
            maintain_order="left",
        )
        kept, out, report = sift(
            rows, _rules(), "events", cells=_BUY, example=("product_id", "quantity", "sales_value")
        )
        kept = kept.with_columns(unit_price_minor=_unit_price().round().cast(pl.Int64))
    products = _products(goods, kept)
    report.add("products", "kept", "product", products.height)
    customers = _customers(kept, folder, report)
    campaigns = _campaigns(folder, report)
    promotions = find(folder, *_names("promotions"))
    if promotions is not None:
        report.add(
            "promotions", "set aside", "displays and mailers have no table", read_raw(promotions).height
        )
    return ShopTables(
        products=products,
        events=_events(kept),
        customers=customers,
        campaigns=campaigns,
        rejects=out,
        report=report,
    )


def _names(table: str) -> tuple[str, ...]:
    return tuple(f"{table}{part}{kind}" for part in ("", "_sample") for kind in (".parquet", ".csv"))


def _columns(path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    raw = read_raw(path)
    missing = [name for name in names if name not in raw.columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(raw.columns[1:])}.",
            next_step="Give the tables as the package completejourney publishes them.",
        )
    return raw.select("line", *names)


def _transactions(path: Path) -> pl.DataFrame:
    raw = _columns(path, _BUY)
    at = pl.col("transaction_timestamp")
    if raw["transaction_timestamp"].dtype == pl.String:
        plain = at.str.replace("T", " ").str.replace(r"(\.\d+)?Z?$", "")
        at = plain.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    return raw.with_columns(
        pl.col("household_id", "basket_id", "product_id").cast(pl.String),
        pl.col("quantity", "sales_value").cast(pl.Float64, strict=False),
        at=at.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC_TIME),
    )


def _unit_price() -> pl.Expr:
    return pl.col("sales_value") * 100 / pl.col("quantity")


def _rules() -> tuple[Rule, ...]:
    ids = pl.any_horizontal(pl.col("household_id", "product_id", "at").is_null())
    units, value = pl.col("quantity"), pl.col("sales_value")
    numbers = units.is_null() | value.is_null() | ~units.is_finite() | ~value.is_finite()
    fuel = (pl.col("department") == "FUEL") | pl.col("product_type").str.contains("GASOLINE")
    uneven = (_unit_price() - _unit_price().round()).abs() > 1e-6
    return (
        Rule("rejected", "household, product or time is missing or unreadable", ids),
        Rule("rejected", "quantity or sales value is no number", numbers),
        Rule("rejected", "quantity or sales value is negative", (units < 0) | (value < 0)),
        Rule("set aside", "no unit sold", units == 0),
        Rule("set aside", "product is not in the catalogue", pl.col("department").is_null()),
        Rule("set aside", "no product: coupon", pl.col("department") == "COUPON"),
        Rule("set aside", "fuel: thousandths of a gallon, no units", fuel.fill_null(False)),
        Rule("rejected", "quantity is no whole number", units != units.round()),
        Rule("repaired", "value is no multiple of the units: unit price rounded", uneven),
        Rule("kept", "as it was read", pl.lit(True)),
    )


def _events(kept: pl.DataFrame) -> pl.DataFrame:
    events = kept.select(
        "at",
        "product_id",
        "quantity",
        "unit_price_minor",
        customer_id="household_id",
        session_id="basket_id",
        kind=pl.lit("purchase"),
        currency=pl.lit(CURRENCY),
    )
    return EVENTS.conform(events).sort("at", maintain_order=True)


def _products(goods: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The type and the size of the package stand for a title, which the data do not have."""
    kind = pl.coalesce("product_type", "product_category", "department")
    described = goods.join(
        regular_prices(kept.filter(pl.col("unit_price_minor") > 0)),
        on="product_id",
        how="left",
        maintain_order="left",
    )
    return PRODUCTS.conform(
        described.select(
            "product_id",
            "price_minor",
            "brand",
            title=pl.concat_str(kind, "package_size", separator=", ", ignore_nulls=True),
            category=pl.coalesce("product_category", "department"),
            currency=pl.lit(CURRENCY),
            attributes=pl.struct("department", "manufacturer_id", "package_size").struct.json_encode(),
        )
    )


def _customers(kept: pl.DataFrame, folder: Path, report: Report) -> pl.DataFrame:
    """Every household that bought or is described, with its demographics where they are known."""
    bought = kept.select(customer_id="household_id").unique()
    file = find(folder, *_names("demographics"))
    if file is None:
        report.add("customers", "kept", "household", bought.height)
        return CUSTOMERS.conform(bought.sort("customer_id"))
    people = _columns(file, ("household_id", *_PEOPLE)).select(
        customer_id=pl.col("household_id").cast(pl.String),
        attributes=pl.struct(pl.col(_PEOPLE).cast(pl.String)).struct.json_encode(),
    )
    both = bought.join(people, on="customer_id", how="full", coalesce=True)
    report.add("customers", "kept", "household with demographics", both["attributes"].count())
    report.add("customers", "kept", "household without demographics", both["attributes"].null_count())
    return CUSTOMERS.conform(both.sort("customer_id"))


def _campaigns(folder: Path, report: Report) -> pl.DataFrame:
    """Campaigns with their days (the last one included) and the size of what belongs to them."""
    described = find(folder, *_names("campaign_descriptions"))
    if described is None:
        return CAMPAIGNS.empty()
    raw = _columns(described, ("campaign_id", "campaign_type", "start_date", "end_date"))
    table = raw.with_columns(
        pl.col("campaign_id", "campaign_type").cast(pl.String),
        *(
            pl.col(day).cast(pl.String).str.head(10).str.to_date(strict=False)
            for day in ("start_date", "end_date")
        ),
    )
    sizes = (
        ("campaigns", "household_id", "households"),
        ("coupons", "coupon_upc", "coupons"),
        ("coupons", "product_id", "products"),
        ("coupon_redemptions", "household_id", "redemptions"),
    )
    for name, column, called in sizes:
        file = find(folder, *_names(name))
        if file is None:
            continue
        rows = _columns(file, ("campaign_id", column)).with_columns(pl.col("campaign_id").cast(pl.String))
        amount = pl.len() if called == "redemptions" else pl.col(column).n_unique()
        table = table.join(
            rows.group_by("campaign_id").agg(amount.alias(called)), on="campaign_id", how="left"
        )
    counted = [called for *_, called in sizes if called in table.columns]
    report.add("campaigns", "kept", "campaign", table.height)
    midnight = pl.col("start_date", "end_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return CAMPAIGNS.conform(
        table.with_columns(midnight).select(
            "campaign_id",
            name=pl.col("campaign_type"),
            starts_at="start_date",
            ends_at=pl.col("end_date") + pl.duration(days=1),
            attributes=pl.struct(pl.col(counted).fill_null(0)).struct.json_encode() if counted else None,
        )
    )
