"""The embedded shop: each case of a made-up table, invariants on random tables, known counts of the real one."""

from __future__ import annotations

import itertools
import json
import runpy
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.core.progress import Silent
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, REJECTS_SCHEMA, ShopTables
from storewise.data.sources import load_source, online_retail
from storewise.data.sources.retail.categories import derive_category
from storewise.data.sources.retail.outcomes import RULES

COLUMNS = (
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
)
SCHEMA = {
    "Invoice": pl.String,
    "StockCode": pl.String,
    "Description": pl.String,
    "Quantity": pl.Int64,
    "InvoiceDate": pl.Datetime("us"),
    "Price": pl.Float64,
    "Customer ID": pl.Int32,
    "Country": pl.String,
}
NOON = datetime(2010, 1, 15, 12)


def line(invoice: str, code: str, quantity: int = 1, price: float = 1.0, **other: Any) -> tuple[Any, ...]:
    cells = {"text": "RED MUG", "at": NOON, "customer": 7, "country": "United Kingdom"} | other
    at, customer = cells["at"], cells["customer"]
    return invoice, code, cells["text"], quantity, at, price, customer, cells["country"]


def load(folder: Path, *lines: tuple[Any, ...]) -> ShopTables:
    path = folder / "lines.parquet"
    pl.DataFrame(lines, schema=SCHEMA, orient="row").write_parquet(path)
    return online_retail.load(path, progress=Silent())


def reasons(shop: ShopTables, table: str = "events") -> dict[tuple[str, str], int]:
    report = shop.report.frame().filter(pl.col("table") == table)
    return {(outcome, reason): rows for _, outcome, reason, rows, _ in report.iter_rows()}


def test_a_sale_becomes_a_purchase_with_all_its_parts(tmp_path: Path) -> None:
    shop = load(tmp_path, line("500001", "22423", 3, 2.55), line("500001", "21000", 1, 0.85))
    first, second = shop.events.to_dicts()
    assert {key: value for key, value in first.items() if value is not None} == {
        "event_id": "500001-1",
        "at": NOON.replace(tzinfo=UTC),
        "customer_id": "7",
        "session_id": "500001",
        "product_id": "22423",
        "kind": "purchase",
        "quantity": 3,
        "unit_price_minor": 255,
        "currency": "GBP",
    }
    assert second["event_id"] == "500001-2"
    assert reasons(shop) == {("kept", "sold to a known customer"): 2}
    assert shop.customers.to_dicts() == [
        {"customer_id": "7", "country": "United Kingdom", "attributes": None}
    ]
    for frame, table in ((shop.events, EVENTS), (shop.products, PRODUCTS), (shop.customers, CUSTOMERS)):
        assert frame.schema == pl.Schema(table.schema())
    assert shop.rejects.schema == pl.Schema(REJECTS_SCHEMA)


def test_local_summer_time_becomes_utc(tmp_path: Path) -> None:
    shop = load(tmp_path, line("1", "22423", at=datetime(2010, 7, 1, 12, 30)))
    assert shop.events["at"][0] == datetime(2010, 7, 1, 11, 30, tzinfo=UTC)


def test_a_time_that_the_clock_skipped_is_rejected(tmp_path: Path) -> None:
    shop = load(tmp_path, line("1", "22423", at=datetime(2010, 3, 28, 1, 30)), line("2", "22423"))
    assert shop.report.total("events", "rejected") == 1
    assert shop.rejects["line"].to_list() == [1]
    assert json.loads(shop.rejects["row"][0])["invoice"] == "1"


def test_missing_customer_is_an_anonymous_session(tmp_path: Path) -> None:
    shop = load(tmp_path, line("1", "22423", customer=None))
    event = shop.events.to_dicts()[0]
    assert (event["customer_id"], event["session_id"]) == (None, "1")
    assert shop.customers.height == 0


@pytest.mark.parametrize(
    ("code", "text", "purpose"),
    [
        ("POST", "POSTAGE", "postage and carriage"),
        ("DOT", "DOTCOM POSTAGE", "postage and carriage"),
        ("C2", "CARRIAGE", "postage and carriage"),
        ("C3", None, "postage and carriage"),
        ("23444", "Next Day Carriage", "postage and carriage"),
        ("M", "Manual", "manual entry"),
        ("m", "Manual", "manual entry"),
        ("D", "Discount", "discount"),
        ("S", "SAMPLES", "sample"),
        ("BANK CHARGES", "Bank Charges", "fee or commission"),
        ("AMAZONFEE", "AMAZON FEE", "fee or commission"),
        ("CRUK", "CRUK Commission", "fee or commission"),
        ("ADJUST2", "Adjustment by Peter on Jun 25 2010", "book-keeping adjustment"),
        ("TEST001", "This is a test product.", "test line"),
        ("gift_0001_20", "Dotcomgiftshop Gift Voucher £20.00", "gift voucher"),
        ("PADS", "PADS TO MATCH ALL CUSHIONS", "other"),
        ("NEWSERVICE", "SOMETHING NEW", "other"),
        ("B", "Adjust bad debt", "bad debt"),
    ],
)
def test_what_is_no_product_is_set_aside_by_its_purpose(
    tmp_path: Path, code: str, text: str | None, purpose: str
) -> None:
    shop = load(tmp_path, line("1", code, 1, 18.0, text=text), line("1", "22423"))
    assert reasons(shop)[("set aside", f"no product: {purpose}")] == 1
    assert shop.products["product_id"].to_list() == ["22423"]


def test_products_of_other_code_forms_stay_products(tmp_path: Path) -> None:
    codes = ["DCGS0058", "DCGS0003", "DCGS0076", "DCGSSGIRL", "SP1002", "15056BL", "47503J "]
    shop = load(tmp_path, *(line("1", code) for code in codes))
    assert shop.products["product_id"].to_list() == sorted(code.strip() for code in codes)


def test_spellings_of_a_code_are_one_product(tmp_path: Path) -> None:
    shop = load(tmp_path, line("1", "85123a"), line("2", "85123A"))
    assert shop.events["product_id"].to_list() == ["85123A", "85123A"]
    assert reasons(shop)[("repaired", "code in its usual spelling")] == 1


def test_lines_of_two_overlapping_sheets_are_dropped_once(tmp_path: Path) -> None:
    first, second = datetime(2010, 12, 1, 9), datetime(2010, 12, 9, 20)
    twin = line("2", "22423", at=second)
    sheet = [line("1", "21000", at=first), twin, twin]
    new = [line("3", "22423", at=second + timedelta(days=1))]
    shop = load(tmp_path, *sheet, *sheet, *new)
    assert reasons(shop)[("set aside", "delivered twice: the sheets overlap")] == 3
    assert shop.events["event_id"].to_list() == ["1-1", "2-1", "2-2", "3-1"]


def test_equal_lines_of_one_invoice_are_genuine(tmp_path: Path) -> None:
    shop = load(tmp_path, line("1", "22423"), line("1", "22423"), line("1", "22423", 2))
    assert shop.events["quantity"].to_list() == [1, 1, 2]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (
            {"quantity": -5, "price": 0.0, "customer": None, "text": "damaged"},
            "negative quantity without a price: stock written off",
        ),
        ({"price": 0.0}, "no price, known customer: given free (sample, gift, replacement)"),
        ({"price": 0.0, "customer": None}, "no price, no customer: stock found or corrected"),
        ({"price": -3.0}, "negative price"),
        ({"quantity": -5}, "negative quantity outside a cancellation"),
        ({"invoice": "C1"}, "positive quantity on a cancellation"),
        (
            {"invoice": "C1", "quantity": -1, "customer": None},
            "cancelled without a customer: no purchase to match",
        ),
        ({"invoice": "C1", "quantity": -1}, "cancelled, but no earlier purchase is in the data"),
    ],
)
def test_lines_that_are_no_trade_are_explained(tmp_path: Path, cells: dict[str, Any], reason: str) -> None:
    shop = load(tmp_path, line(**{"invoice": "1", "code": "22423"} | cells))
    assert reasons(shop) == {("set aside", reason): 1}
    assert shop.rejects["reason"].to_list() == [f"set aside: {reason}"]
    assert (shop.events.height, shop.products.height) == (0, 0)
    assert reasons(shop, "products") == {("set aside", "never sold at a price"): 1}


def test_a_quantity_of_zero_is_rejected(tmp_path: Path) -> None:
    shop = load(tmp_path, line("1", "22423", 0))
    assert shop.report.total("events", "rejected") == 1


def test_a_cancellation_takes_the_latest_purchase_that_is_large_enough(tmp_path: Path) -> None:
    day = timedelta(days=1)
    shop = load(
        tmp_path,
        line("1", "22423", 10),
        line("2", "22423", 2, at=NOON + day),
        line("C3", "22423", -5, at=NOON + 2 * day),  # invoice 2 is too small, 1 has enough
        line("C4", "22423", -6, at=NOON + 3 * day),  # 2 from invoice 2, 4 from invoice 1
        line("C5", "22423", -9, at=NOON + 4 * day),  # one unit is left
        line("C6", "22423", -1, at=NOON + 5 * day),  # none is left
    )
    returns = shop.events.filter(pl.col("kind") == "return")
    assert returns["quantity"].to_list() == [5, 6, 1]
    assert reasons(shop) == {
        ("kept", "sold to a known customer"): 2,
        ("kept", "return, matched to one purchase"): 1,
        ("kept", "return, matched to several purchases"): 1,
        ("repaired", "return cut to the units bought before"): 1,
        ("set aside", "cancelled, but no earlier purchase is in the data"): 1,
    }


def test_purchases_of_others_other_products_or_later_ones_match_nothing(tmp_path: Path) -> None:
    shop = load(
        tmp_path,
        line("1", "22423", customer=8),
        line("2", "21000"),
        line("C3", "22423", -1),
        line("4", "22423", at=NOON + timedelta(hours=1)),
    )
    assert reasons(shop)[("set aside", "cancelled, but no earlier purchase is in the data")] == 1


def test_the_title_is_the_majority_of_what_sold_it(tmp_path: Path) -> None:
    texts = ["WHITE  HOLDER ", "WHITE HOLDER", "CREAM HOLDER", "damaged", "damaged", "damaged", None]
    shop = load(tmp_path, *(line(str(n), "85123A", text=text) for n, text in enumerate(texts)))
    assert shop.products["title"].to_list() == ["WHITE HOLDER"]
    assert reasons(shop, "products") == {("repaired", "several titles: the most frequent taken"): 1}


def test_the_price_is_the_usual_one_of_late(tmp_path: Path) -> None:
    prices = [(0, 2.0), (0, 2.0), (0, 2.0), (200, 2.5), (201, 2.5), (202, 2.2)]
    lines = (line(str(n), "1" * 5, 1, p, at=NOON + timedelta(days=d)) for n, (d, p) in enumerate(prices))
    shop = load(tmp_path, *lines)
    assert shop.products["price_minor"].to_list() == [250]
    assert shop.events["unit_price_minor"].to_list() == [200, 200, 200, 250, 250, 220]


def test_a_customer_has_the_country_of_most_lines(tmp_path: Path) -> None:
    countries = ["Cyprus", "Austria", "Austria"]
    shop = load(
        tmp_path,
        *(line("1", "22423", country=c) for c in countries),
        line("2", "22423", customer=8, country="Unspecified"),
    )
    assert shop.customers.sort("customer_id")["country"].to_list() == ["Austria", None]
    assert reasons(shop, "customers") == {
        ("kept", "one country"): 1,
        ("repaired", "several countries: the most frequent taken"): 1,
    }


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "candle"),
        ("SET OF 6 RIBBONS VINTAGE CHRISTMAS", "christmas"),
        ("JUMBO BAG RED RETROSPOT", "bag"),
        ("RED RETROSPOT MUG WITH SPOON", "mug & cup"),
        ("HEART OF WICKER SMALL", "decoration"),
        ("DOORMAT HEARTS", "doormat & doorstop"),
        ("17129F", None),
    ],
)
def test_category_of_a_title(title: str, category: str | None) -> None:
    assert derive_category(title) == category


@pytest.mark.parametrize(
    ("suffix", "form"),
    [
        (".csv", "%Y-%m-%d %H:%M:%S"),
        (".csv", "%Y-%m-%dT%H:%M:%S%.6f"),
        (".csv.gz", "%m/%d/%Y %H:%M"),
        (".csv.xz", "%d/%m/%Y %H:%M"),
    ],
)
def test_the_same_table_as_csv_gives_the_same_shop(tmp_path: Path, suffix: str, form: str) -> None:
    import gzip
    import lzma

    lines = [
        line("1", "22423", 3, 2.55),
        line("1", "POST", 1, 18.0, customer=None),
        line("C2", "22423", -1, 2.55),
    ]
    expected = load(tmp_path, *lines)
    frame = pl.DataFrame(lines, schema=SCHEMA, orient="row")
    text = frame.with_columns(pl.col("Customer ID").cast(pl.Float64)).write_csv(datetime_format=form).encode()
    pack = {".csv": bytes, ".csv.gz": gzip.compress, ".csv.xz": lzma.compress}[suffix]
    path = tmp_path / f"lines{suffix}"
    path.write_bytes(pack(text))
    shop = online_retail.load(path, progress=Silent())
    assert shop.events.equals(expected.events)
    assert shop.report.frame().equals(expected.report.frame())
    assert shop.rejects["line"].to_list() == [3]  # the header is line 1


def test_cells_of_a_csv_that_make_no_sense_are_rejected_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    rows = [
        "1,22423,MUG,one,2010-01-15 12:00:00,1.0,7,UK",
        "1,22423,MUG,1,yesterday,1.0,7,UK",
        "1,22423,MUG,1,2010-01-15 12:00:00,,7,UK",
        "1,22423,MUG,1,2010-01-15 12:00:00,1.0,7,UK",
    ]
    path.write_text("\n".join([",".join(COLUMNS), *rows]))
    shop = online_retail.load(path, progress=Silent())
    assert shop.rejects["line"].to_list() == [2, 3, 4]
    assert shop.events.height == 1


def test_the_column_names_of_the_first_edition_are_known(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    names = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    path.write_text(f"{names}\n536365,85123A,HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom\n")
    shop = online_retail.load(path, progress=Silent())
    assert shop.events["at"].to_list() == [datetime(2010, 12, 1, 8, 26, tzinfo=UTC)]
    assert shop.events["unit_price_minor"].to_list() == [255]


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("Invoice,StockCode\n1,2\n")
    with pytest.raises(DataError, match="no column 'Description'"):
        online_retail.load(path, progress=Silent())


_LINES = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "C3", "C4", "A5"]),
        st.sampled_from(["22423", "22423a", "22423A", "POST", "M"]),
        st.sampled_from(["RED MUG", "damaged", None]),
        st.integers(-4, 4),
        st.integers(0, 5).map(lambda hours: datetime(2010, 1, 1) + timedelta(hours=hours)),
        st.sampled_from([0.0, 1.0, 2.55, -3.0]),
        st.sampled_from([7, 8, None]),
        st.sampled_from(["United Kingdom", "France"]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(_LINES)
def test_every_line_has_one_outcome_and_nothing_is_returned_twice(rows: list[tuple[Any, ...]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        shop = load(Path(folder), *rows)
    assert shop.report.total("events") == len(rows)
    assert shop.report.total("events", "kept", "repaired") == shop.events.height
    assert shop.report.total("events", "set aside", "rejected") == shop.rejects.height
    _assert_returns_are_what_a_ledger_says(shop, rows)


def _assert_returns_are_what_a_ledger_says(shop: ShopTables, rows: list[tuple[Any, ...]]) -> None:
    """Oracle: walk the lines in time order and keep, for each customer and product, what was bought."""
    number = Counter[str]()
    entries = []
    for place, (invoice, code, _, quantity, at, price, customer, _) in enumerate(rows):
        number[invoice] += 1
        traded = code.upper().startswith("22423") and price > 0 and quantity != 0
        if traded and customer is not None and (quantity < 0) == invoice.startswith("C"):
            entries.append((at, place, (customer, code.upper()), quantity, f"{invoice}-{number[invoice]}"))
    bought: dict[tuple[int, str], int] = defaultdict(int)
    expected = {}
    for _, _, pair, quantity, event_id in sorted(entries):
        if quantity > 0:
            bought[pair] += quantity
        elif bought[pair]:
            expected[event_id] = min(-quantity, bought[pair])
            bought[pair] -= expected[event_id]
    returns = shop.events.filter(pl.col("kind") == "return")
    assert dict(returns.select("event_id", "quantity").iter_rows()) == expected


@pytest.fixture(scope="module")
def source() -> pl.DataFrame:
    return pl.read_parquet(str(files("storewise.data.sources") / "online_retail_ii.parquet"))


@pytest.fixture(scope="module")
def shop() -> ShopTables:
    return load_source("online-retail")


def test_embedded_table_is_the_published_one(source: pl.DataFrame, shared_data: Path) -> None:
    published = shared_data / "online-retail-ii" / "online_retail_II.parquet"
    if not published.exists():
        pytest.skip(f"no {published}")
    assert source.equals(pl.read_parquet(published), null_equal=True)


def test_embedded_table_has_the_published_counts(source: pl.DataFrame) -> None:
    assert source.height == 1_067_371
    assert source["Invoice"].n_unique() == 53_628
    assert source["Invoice"].str.starts_with("C").sum() == 19_494
    assert source["Description"].null_count() == 4_382
    assert source["Customer ID"].null_count() == 243_007
    assert source["Customer ID"].drop_nulls().n_unique() == 5_942


def test_real_lines_have_one_outcome_each(shop: ShopTables, source: pl.DataFrame) -> None:
    assert shop.report.total("events") == source.height
    assert shop.report.total("events", "kept", "repaired") == shop.events.height
    assert shop.report.total("events", "set aside") == shop.rejects.height
    assert shop.report.total("events", "rejected") == 0
    assert shop.customers.height == 5_942
    assert shop.events["event_id"].is_unique().all()
    assert shop.events["at"].is_sorted()


def test_real_overlap_is_what_counting_both_sheets_says(shop: ShopTables, source: pl.DataFrame) -> None:
    """Oracle: on the shared days every distinct line stands equally often in both sheets, so half go."""
    day = pl.col("InvoiceDate").dt.date()
    shared = source.filter(day.is_between(date(2010, 12, 1), date(2010, 12, 9)))
    counts = shared.group_by(source.columns).len()["len"]
    assert (counts % 2 == 0).all()
    assert reasons(shop)[("set aside", "delivered twice: the sheets overlap")] == counts.sum() // 2 == 22_523


def test_real_returns_never_exceed_purchases(shop: ShopTables) -> None:
    known = shop.events.filter(pl.col("customer_id").is_not_null())
    signed = pl.when(pl.col("kind") == "return").then(-pl.col("quantity")).otherwise("quantity")
    at_home = known.with_columns(signed.cum_sum().over("customer_id", "product_id").alias("at_home"))
    assert (at_home["at_home"] >= 0).all()
    assert shop.events.filter(pl.col("kind") == "return")["customer_id"].null_count() == 0


def test_real_money_is_conserved(shop: ShopTables, source: pl.DataFrame) -> None:
    """Every line's money is found again: in an event, in a reject, or as the cut part of a return.

    In thousandths of a pound, because two codes have prices of 0.001.
    """
    amount = pl.col("Quantity") * (pl.col("Price") * 1000).round().cast(pl.Int64)
    total = source.select(amount.sum()).item()
    sign = pl.when(pl.col("kind") == "return").then(-1).otherwise(1)
    events = shop.events.select(
        (sign * pl.col("quantity").cast(pl.Int64) * pl.col("unit_price_minor") * 10).sum()
    )
    lines = source.with_row_index("line", offset=1).with_columns(pl.col("line").cast(pl.Int64))
    aside = lines.join(shop.rejects, on="line").select(amount.sum()).item()
    numbered = lines.with_columns(
        event_id=pl.col("Invoice") + "-" + pl.int_range(1, pl.len() + 1).over("Invoice").cast(pl.String)
    )
    returned = shop.events.filter(pl.col("kind") == "return").join(numbered, on="event_id")
    unit = (pl.col("Price") * 1000).round().cast(pl.Int64)
    cut = returned.select(((pl.col("Quantity") + pl.col("quantity")) * unit).sum()).item()
    assert cut < 0
    assert events.item() + aside + cut == total


def test_real_catalogue_is_clean(shop: ShopTables) -> None:
    products = shop.products
    assert products["product_id"].is_unique().all()
    assert set(shop.events["product_id"].unique()) == set(products["product_id"])
    assert products.filter(pl.any_horizontal(pl.col("title", "price_minor").is_null())).height == 0
    assert products.filter(pl.col("title").str.contains(r"(?i)damage|^check|\?|^\s|\s\s")).height == 0
    assert products["title"].is_in(["POSTAGE", "Manual", "Discount"]).sum() == 0
    titles = dict(products.select("product_id", "title").iter_rows())
    assert titles["85123A"] == "WHITE HANGING HEART T-LIGHT HOLDER"
    assert titles["22423"] == "REGENCY CAKESTAND 3 TIER"
    covered = shop.events.join(products, on="product_id")["category"].is_not_null().mean()
    assert covered is not None
    assert covered > 0.98


def test_real_quantities_and_prices_are_in_bounds(shop: ShopTables) -> None:
    assert shop.events["quantity"].min() == 1
    assert shop.events["unit_price_minor"].min() == 3
    assert shop.events["quantity"].max() == 80_995  # cancelled twelve minutes later: kept, and returned


def test_reasons_are_distinct() -> None:
    pairs = [(rule.outcome, rule.reason) for rule in RULES]
    assert all(a != b for a, b in itertools.combinations(pairs, 2))


def test_real_overlap_is_found_in_a_sorted_table_too(
    tmp_path: Path, source: pl.DataFrame, shop: ShopTables
) -> None:
    part = source.filter(pl.col("InvoiceDate").dt.date().is_between(date(2010, 11, 25), date(2010, 12, 20)))
    path = tmp_path / "sorted.parquet"
    part.sort("InvoiceDate", "Invoice", "StockCode").write_parquet(path)
    again = online_retail.load(path, progress=Silent())
    assert reasons(again)[("set aside", "delivered twice: the sheets overlap")] == 22_523


def test_documented_counts_are_the_report(shop: ShopTables) -> None:
    root = Path(__file__).resolve().parents[3]
    script = runpy.run_path(str(root / "scripts" / "document_sources.py"))
    text = (root / "docs" / "data-sources.md").read_text(encoding="utf-8")
    assert "1,067,371" in text
    assert script["page"](shop.report, text) == text, "run scripts/document_sources.py"
