"""Online Retail II: every invoice line of a British gift shop, 2009-12-01 to 2011-12-09; the embedded data set.

Daqing Chen, Online Retail II, UCI Machine Learning Repository, 2019, https://doi.org/10.24432/C5CG6D, CC BY 4.0.
What is done to it, with every count: ``docs/data-sources.md``.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import polars as pl

from storewise.core.progress import Progress, step
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, Report, ShopTables
from storewise.data.sources import sift
from storewise.data.sources.prices import regular_prices
from storewise.data.sources.retail.categories import derive_categories
from storewise.data.sources.retail.codes import read_codes
from storewise.data.sources.retail.lines import read_lines
from storewise.data.sources.retail.outcomes import RULES, is_trade
from storewise.data.sources.retail.overlap import delivered_twice
from storewise.data.sources.retail.returns import match_returns
from storewise.data.sources.retail.titles import best_titles

CURRENCY = "GBP"
EMBEDDED = "online_retail_ii.parquet"
_TRADE_CELLS = (
    *("invoice", "number", "at", "customer_id", "product_id", "description"),
    *("quantity", "returned", "price"),
)
_NO_COUNTRY = ("Unspecified", "European Community")
_SOURCE_CELLS = ("invoice", "code", "description", "quantity", "at", "price", "customer_id", "country")


def load(path: Path | None = None, *, progress: Progress) -> ShopTables:
    """The shop's tables from the embedded file, or from ``path`` (the same table as CSV or Parquet).

    Every line of the file has exactly one row of ``report`` (table "events"); lines that are not kept or
    repaired are in ``rejects``. Events are sales (``purchase``) and matched cancellations (``return``), with
    id "<invoice>-<line of the invoice>" and the invoice as session; a line without customer is an anonymous
    session. Titles, prices and categories of products are derived from the lines.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    with step(progress, "reading invoice lines"):
        lines = _read(path)
    with step(progress, "sorting out invoice lines"):
        lines = classify(lines)
    with step(progress, "titles, prices, categories"):
        report = sift.count(lines, RULES, "events", example=("code", "description"))
        trade = lines.lazy().filter(sift.is_kept(RULES)).select(_TRADE_CELLS).collect()
        products = _products(lines, trade, report)
        customers = _customers(lines, report)
    return ShopTables(
        products=products,
        events=_events(trade),
        customers=customers,
        rejects=sift.rejects(lines, RULES, "events", cells=_SOURCE_CELLS),
        report=report,
    )


def _read(path: Path | None) -> pl.DataFrame:
    if path is not None:
        return read_lines(Path(path))
    with as_file(files("storewise.data.sources") / EMBEDDED) as embedded:
        return read_lines(embedded)


def classify(lines: pl.DataFrame) -> pl.DataFrame:
    """Add to the lines of ``read_lines``: number (within its invoice, from 1), product_id, returned (units, on
    matched cancellations), rule (index in ``RULES``)."""
    lines = lines.with_columns(delivered_twice(lines)).join(
        read_codes(lines), on="code", how="left", maintain_order="left"
    )
    lines = lines.with_columns(number=pl.int_range(1, pl.len() + 1).over("invoice"))
    lines = lines.with_row_index("position")
    sold = lines.lazy().filter(is_trade())
    cells = ("position", "customer_id", "product_id", "at", "quantity")
    matches = match_returns(sold.select(cells).collect())
    lines = lines.join(matches, on="position", how="left", maintain_order="left")
    return lines.with_columns(sift.rule_of_each(RULES))


def _first(texts: pl.Series) -> str:
    return str(texts[0]) if len(texts) else ""


def _pence() -> pl.Expr:
    return (pl.col("price") * 100).round().cast(pl.Int64)


def _events(trade: pl.DataFrame) -> pl.DataFrame:
    is_return = pl.col("quantity") < 0
    kinds = pl.when(is_return).then(pl.lit("return")).otherwise(pl.lit("purchase"))
    events = trade.lazy().select(
        event_id=pl.concat_str("invoice", pl.lit("-"), pl.col("number").cast(pl.String)),
        at="at",
        customer_id="customer_id",
        session_id="invoice",
        product_id="product_id",
        kind=kinds,
        quantity=pl.when(is_return).then("returned").otherwise("quantity"),
        unit_price_minor=_pence(),
        currency=pl.lit(CURRENCY),
    )
    table = EVENTS.conform(events.collect())
    return table if table["at"].is_sorted() else table.sort("at", maintain_order=True)


def _products(lines: pl.DataFrame, trade: pl.DataFrame, report: Report) -> pl.DataFrame:
    sold = trade.lazy().filter(pl.col("quantity") > 0)
    sales = sold.select("product_id", "description", "at", unit_price_minor=_pence()).collect()
    titles = best_titles(sales)
    codes = lines.lazy().filter(pl.col("purpose").is_null())
    listed = codes.select(pl.col("product_id").drop_nulls().n_unique()).collect().item()
    spellings = pl.col("spellings")
    named = titles.filter(spellings > 1)["title"]
    report.add("products", "kept", "one title", titles.filter(spellings == 1).height)
    report.add(
        "products",
        "repaired",
        "several titles: the most frequent taken",
        len(named),
        example=_first(named),
    )
    report.add(
        "products", "repaired", "no title: the code stands for it", titles.filter(spellings == 0).height
    )
    report.add("products", "set aside", "never sold at a price", listed - titles.height)
    priced = titles.join(regular_prices(sales), on="product_id", how="left", maintain_order="left")
    return PRODUCTS.conform(
        priced.with_columns(derive_categories(priced["title"]), currency=pl.lit(CURRENCY)).sort("product_id")
    )


def _customers(lines: pl.DataFrame, report: Report) -> pl.DataFrame:
    """Every known customer with the country of most lines."""
    known = lines.filter(pl.col("customer_id").is_not_null())
    counted = known.group_by("customer_id", "country").len()
    ranked = counted.sort("customer_id", "len", "country", descending=[False, True, False])
    customers = ranked.group_by("customer_id", maintain_order=True).agg(
        pl.col("country").first(), countries=pl.len()
    )
    several = customers.filter(pl.col("countries") > 1)
    report.add("customers", "kept", "one country", customers.height - several.height)
    report.add(
        "customers",
        "repaired",
        "several countries: the most frequent taken",
        several.height,
    )
    unknown = pl.col("country").is_in(_NO_COUNTRY)
    return CUSTOMERS.conform(customers.with_columns(country=pl.when(~unknown).then("country")))
