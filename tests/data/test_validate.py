"""Every kind of bad input, one by one: what is kept, what is rejected and what the message says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import ConfigError, DataError
from storewise.core.money import EXPONENTS, Money
from storewise.data.mapping import TableMapping, section
from storewise.data.schema import CAMPAIGNS, CUSTOMERS, EVENTS, PRODUCTS, STOCK, TABLES, Table
from storewise.data.validate import Checked, Rules, validate

NOW = datetime(2012, 1, 1, tzinfo=UTC)


def check(raw: pl.DataFrame, **options: Any) -> Checked:
    return validate(raw, options.pop("table", EVENTS), Rules(NOW, where="events.csv", **options))


def events(**columns: list[Any]) -> pl.DataFrame:
    """CSV-like events: a good row for each entry, with some columns given otherwise."""
    n = len(next(iter(columns.values()))) if columns else 2
    usual: dict[str, list[Any]] = {
        "line": list(range(2, n + 2)),
        "event_id": [f"e{i}" for i in range(n)],
        "at": ["2011-05-01T10:00:00Z"] * n,
        "customer_id": ["c1"] * n,
        "product_id": ["p1"] * n,
        "kind": ["purchase"] * n,
    }
    return pl.DataFrame(usual | columns, strict=False)


def reasons(checked: Checked) -> list[tuple[int, str]]:
    return list(zip(checked.rejects["line"], checked.rejects["reason"], strict=True))


def test_good_rows_conform_and_keep_their_values() -> None:
    raw = events(
        quantity=["3", "4.0"], unit_price=["2.50", "10"], currency=["gbp", None], position=[None, "0"]
    )
    checked = check(raw, currency="GBP")
    assert checked.rejects.height == 0
    assert checked.frame.schema == EVENTS.empty().schema
    assert checked.frame["quantity"].to_list() == [3, 4]
    assert checked.frame["unit_price_minor"].to_list() == [250, 1000]
    assert checked.frame["currency"].to_list() == ["GBP", "GBP"]
    assert checked.frame["at"][0] == datetime(2011, 5, 1, 10, tzinfo=UTC)
    assert checked.report.total("events", "kept") == 2


def test_a_missing_column_is_named_with_what_there_is_and_how_to_map_it() -> None:
    raw = events().rename({"product_id": "SKU", "at": "Invoice Date"})
    with pytest.raises(DataError) as caught:
        check(raw)
    text = str(caught.value)
    assert "events.csv: events lack the columns at, product_id." in text
    assert "Columns found: event_id, Invoice Date, customer_id, SKU, kind." in text
    assert '[events.columns]: at = "Invoice Date"; product_id = "SKU"' in text


def test_a_near_miss_is_offered() -> None:
    with pytest.raises(DataError, match='product_id = "prodct_id"'):
        check(events().rename({"product_id": "prodct_id"}))


def test_a_missing_kind_can_be_fixed_for_all_rows() -> None:
    raw = events().drop("kind")
    with pytest.raises(DataError, match='kind = "purchase"'):
        check(raw)
    checked = check(raw, mapping=TableMapping(fixed={"kind": "purchase"}))
    assert checked.frame["kind"].to_list() == ["purchase", "purchase"]


def test_mapped_columns_are_taken_and_a_mapping_to_nowhere_is_an_error() -> None:
    raw = events().rename({"product_id": "SKU"})
    mapping = section({"columns": {"product_id": "SKU"}}, table="events")
    assert check(raw, mapping=mapping).frame["product_id"].to_list() == ["p1", "p1"]
    wrong = section({"columns": {"product_id": "SKUs"}}, table="events")
    with pytest.raises(DataError, match="'SKUs', which is not there. Did you mean 'SKU'"):
        check(raw, mapping=wrong)


def test_case_spaces_and_underscores_of_names_do_not_matter() -> None:
    raw = events().rename({"product_id": "Product ID", "at": "AT", "customer_id": "CustomerId"})
    assert check(raw).frame["customer_id"].to_list() == ["c1", "c1"]


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("quantity", "many", "quantity 'many' is no whole number below 2,147,483,648"),
        ("quantity", "2.5", "quantity '2.5' is no whole number below 2,147,483,648"),
        ("quantity", "99999999999", "quantity '99999999999' is no whole number below 2,147,483,648"),
        ("propensity", "often", "propensity 'often' is no number"),
        ("propensity", "NaN", "propensity 'NaN' is no number"),
        ("propensity", "1.5", "propensity '1.5' is above 1"),
        ("position", "-1", "position '-1' is below 0"),
        ("kind", "buy", "kind 'buy' is no kind of event"),
        ("at", "soon", "at 'soon' cannot be read as a time (set time_format in the mapping)"),
        ("at", "12/01/2010 08:26", "at '12/01/2010 08:26' cannot be read as a time"),
        ("at", "2011-02-30", "at '2011-02-30' cannot be read as a time"),
        ("at", "2012-06-01T00:00:00Z", "at '2012-06-01 00:00:00 UTC' is in the future (now is 2012-01-01 00:00:00 UTC)"),
        ("at", "1969-12-31", "at '1969-12-31 00:00:00.000000+00:00' is before 1970"),
        ("at", None, "at is missing"),
        ("product_id", "  ", "product_id is missing"),
        ("kind", None, "kind is missing"),
        ("unit_price_minor", "-5", "unit_price_minor '-5' is below 0"),
        ("unit_price_minor", "5.5", "unit_price_minor '5.5' is no whole number"),
        ("currency", "Pounds", "currency 'Pounds' is no ISO 4217 code such as GBP"),
    ],
)  # fmt: skip
def test_a_bad_cell_rejects_its_row_with_line_and_reason(column: str, cell: Any, reason: str) -> None:
    good = {"quantity": "1", "propensity": "0.5", "position": "0", "kind": "view", "product_id": "p1",
            "at": "2011-01-01", "unit_price_minor": "5", "currency": "GBP"}[column]  # fmt: skip
    checked = check(events(**{column: [good, cell, good]}), currency="GBP")
    assert checked.frame.height == 2
    [(line, found)] = reasons(checked)
    assert line == 3
    assert found.startswith(reason)
    assert json.loads(checked.rejects["row"][0])["event_id"] == "e1"
    assert checked.report.total("events", "rejected") == 1
    assert checked.report.total("events") == 3


@pytest.mark.parametrize("quantity", ["0", "-3"])
def test_a_quantity_below_one_is_rejected(quantity: str) -> None:
    [(line, reason)] = reasons(check(events(quantity=["1", quantity])))
    assert line == 3
    assert reason.startswith(f"quantity '{quantity}' is below 1")


def test_negative_quantities_can_be_returns() -> None:
    raw = events(quantity=["2", "-3", "0"])
    checked = check(raw, mapping=TableMapping(negative_quantity="return"))
    assert checked.frame.select("kind", "quantity").rows() == [("purchase", 2), ("return", 3)]
    assert checked.report.total("events", "repaired") == 1
    assert reasons(checked)[0][0] == 4


def test_a_product_the_catalogue_does_not_know_is_rejected() -> None:
    checked = check(events(product_id=["p1", "ghost"]), products=pl.Series(["p1", "p2"]))
    assert reasons(checked) == [(3, "product_id 'ghost' is not in the catalogue")]


def test_mixed_currencies_reject_those_that_are_not_the_shops() -> None:
    raw = events(currency=["EUR", "GBP", "GBP"], unit_price=["1", "1", "1"])
    assert reasons(check(raw)) == [(2, "currency 'EUR' is not the shop's, GBP (mixed currencies)")]
    assert [line for line, _ in reasons(check(raw, currency="EUR"))] == [3, 4]


def test_a_negative_price_is_rejected_in_the_files_own_words() -> None:
    checked = check(events(unit_price=["2.50", "-2.50", "free"]), currency="GBP")
    assert reasons(checked) == [
        (3, "unit_price '-2.50' is below 0"),
        (4, "unit_price 'free' is no amount of money (write 12.50, or set decimal in the mapping)"),
    ]


def test_prices_in_major_units_need_a_currency() -> None:
    with pytest.raises(DataError, match="--currency GBP"):
        check(events(unit_price=["2.50", "1"]))


def test_decimal_commas_and_currencies_without_decimals() -> None:
    raw = events(unit_price=["1.234,50", "0,5"])
    checked = check(raw, mapping=TableMapping(decimal=",", currency="EUR"))
    assert checked.frame["unit_price_minor"].to_list() == [123450, 50]
    yen = check(events(unit_price=["120", "99"]), currency="JPY")
    assert yen.frame["unit_price_minor"].to_list() == [120, 99]


def test_a_price_finer_than_its_currency_is_rounded_and_counted() -> None:
    checked = check(events(unit_price=["2.505", "1.00"]), currency="GBP")
    assert checked.frame["unit_price_minor"].to_list() == [250, 100]
    assert checked.report.total("events", "repaired") == 1


amounts = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(amounts, st.sampled_from(["GBP", "JPY", "KWD", "CNY"])), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_prices_are_exactly_those_of_decimal_arithmetic(prices: list[tuple[Decimal, str]]) -> None:
    by_currency: dict[str, list[Decimal]] = {}
    for amount, currency in prices:
        by_currency.setdefault(currency, []).append(amount)
    for currency, found in by_currency.items():
        raw = events(unit_price=[format(amount, "f") for amount in found])
        minor = check(raw, currency=currency).frame["unit_price_minor"].to_list()
        assert minor == [Money.of(amount, currency).minor for amount in found]


def test_float_prices_are_taken_at_their_written_value() -> None:
    """1.15 is a little less than 1.15 as a float; its shortest text is what the shop meant."""
    floats = [1.15, 0.285, 1e-7, 19.99]
    wanted = [Decimal(repr(x)).scaleb(2).to_integral_value(ROUND_HALF_EVEN) for x in floats]
    found = check(events(unit_price=floats), currency="GBP").frame["unit_price_minor"].to_list()
    assert found == [int(x) for x in wanted]
    assert EXPONENTS.get("GBP", 2) == 2


def test_a_repeated_event_id_counts_once_and_is_no_error() -> None:
    raw = events(event_id=["a", "b", "a", None, None], product_id=["p1", "p2", "p3", "p4", "p5"])
    checked = check(raw)
    assert checked.rejects.height == 0
    assert checked.frame["product_id"].to_list() == ["p1", "p2", "p4", "p5"]
    assert (checked.report.total("events", "kept"), checked.report.total("events", "set aside")) == (4, 1)


def test_of_a_repeated_product_the_last_row_counts() -> None:
    raw = pl.DataFrame({"product_id": ["a", "b", "a"], "title": ["old", "b", "new"]})
    checked = check(raw, table=PRODUCTS)
    assert checked.frame.select("product_id", "title").rows() == [("b", "b"), ("a", "new")]
    assert checked.report.total("products", "set aside") == 1


def test_a_row_with_several_problems_tells_all_and_counts_once() -> None:
    raw = events(quantity=["x", "1"], propensity=["7", "0.1"], at=["soon", "2011-01-01"])
    checked = check(raw)
    [(_, reason)] = reasons(checked)
    assert [part.split(" ")[0] for part in reason.split("; ")] == ["at", "quantity", "propensity"]
    assert checked.report.total("events") == 2


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2011-07-01T10:00:00Z", 10),
        ("2011-07-01T10:00:00z", 10),
        ("2011-07-01T10:00:00+02:00", 8),
        ("2011-07-01 10:00:00 +0200", 8),
        ("2011-07-01 10:00:00.123456+00:00", 10),
        ("2011-07-01T10:00Z", 10),
        ("2011-07-01T10:00:00", 9),
        ("2011-07-01 10:00:00.5", 9),
        ("2011-07-01 10:00", 9),
        ("2011/07/01 10:00", 9),
        ("2011/07/01 10:00:00", 9),
        ("01.07.2011 10:00", 9),
        ("01.07.2011 10:00:00", 9),
        ("20110701T100000", 9),
        ("1309514400", 10),
        ("1309514400000", 10),
        ("1309514400000000", 10),
        ("2011-07-01", 23),
        ("20110701", 23),
        ("01.07.2011", 23),
        ("2011/07/01", 23),
    ],
)
def test_times_are_read_in_the_usual_formats_and_zones(text: str, hour: int) -> None:
    """London is one hour ahead of UTC in July: a time without a zone is one of the mapping's zone."""
    found = check(events(at=[text]), mapping=TableMapping(timezone="Europe/London")).frame["at"]
    assert found.dt.hour().to_list() == [hour]
    assert found.dt.date().to_list() == [date(2011, 6, 30) if hour == 23 else date(2011, 7, 1)]


def test_without_a_zone_anywhere_times_are_utc_and_formats_may_mix() -> None:
    raw = events(at=["2011-07-01 10:00", "01.07.2011 10:00:00", "1309514400"])
    assert set(check(raw).frame["at"].to_list()) == {datetime(2011, 7, 1, 10, tzinfo=UTC)}


def test_a_format_of_the_shops_own_is_read_by_the_mapping() -> None:
    mapping = TableMapping(time_format="%m/%d/%Y %H:%M")
    assert check(events(at=["12/01/2010 08:26"]), mapping=mapping).frame["at"].to_list() == [
        datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    ]
    days = TableMapping(time_format="%d/%m/%y")
    assert check(events(at=["12/01/10"]), mapping=days).frame["at"].to_list() == [
        datetime(2010, 1, 12, tzinfo=UTC)
    ]


def test_an_hour_the_clocks_skip_is_rejected_and_one_they_repeat_is_the_first() -> None:
    mapping = TableMapping(timezone="Europe/London")
    raw = events(at=["2011-03-27 01:30", "2011-10-30 01:30"])
    checked = check(raw, mapping=mapping)
    assert reasons(checked)[0][0] == 2
    assert checked.frame["at"].to_list() == [datetime(2011, 10, 30, 0, 30, tzinfo=UTC)]


@pytest.mark.parametrize(
    "at",
    [
        pl.Series([datetime(2011, 7, 1, 10)]),
        pl.Series([datetime(2011, 7, 1, 10)], dtype=pl.Datetime("ns")),
        pl.Series([datetime(2011, 7, 1, 10, tzinfo=UTC)], dtype=pl.Datetime("ms", "UTC")),
        pl.Series([1309514400]),
        pl.Series([1309514400.0]),
    ],
)
def test_times_of_typed_files_are_read(at: pl.Series) -> None:
    assert check(events(at=["x"]).with_columns(at=at)).frame["at"].to_list() == [
        datetime(2011, 7, 1, 10, tzinfo=UTC)
    ]


def test_ids_of_typed_files_become_text_without_a_fraction() -> None:
    raw = events(customer_id=[12345.0, None], product_id=[7, 8])
    checked = check(raw)
    assert checked.frame["customer_id"].to_list() == ["12345", None]
    assert checked.frame["product_id"].to_list() == ["7", "8"]


def test_a_column_of_lists_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="column 'product_id' has the type List"):
        check(events(product_id=[["p1"], ["p2"]]))


def test_no_rows_are_an_error() -> None:
    with pytest.raises(DataError, match=r"events.csv has no rows"):
        check(events().head(0))


def test_words_of_the_shop_map_to_kinds() -> None:
    raw = events(kind=["Sold", "PURCHASE", "refunded"])
    checked = check(raw, mapping=TableMapping(kinds={"sold": "purchase", "refunded": "return"}))
    assert checked.frame["kind"].to_list() == ["purchase", "purchase", "return"]
    with pytest.raises(ConfigError, match="are no kinds of events"):
        section({"kinds": {"x": "bought"}}, table="events")


def test_attributes_must_be_a_json_object() -> None:
    raw = pl.DataFrame(
        {"product_id": ["a", "b", "c"], "title": ["A"] * 3, "attributes": ['{"size": 3}', "{oops", None]}
    )
    checked = check(raw, table=PRODUCTS)
    assert checked.frame["product_id"].to_list() == ["a", "c"]
    assert reasons(checked)[0] == (2, "attributes '{oops' is no JSON object")
    typed = pl.DataFrame({"product_id": ["a"], "title": ["A"], "attributes": [{"size": 3}]})
    assert check(typed, table=PRODUCTS).frame["attributes"].to_list() == ['{"size":3}']


def test_booleans_in_many_spellings() -> None:
    raw = pl.DataFrame(
        {"product_id": list("abcde"), "title": ["t"] * 5, "active": ["Yes", "0", "TRUE", None, "maybe"]}
    )
    checked = check(raw, table=PRODUCTS)
    assert checked.frame["active"].to_list() == [True, False, True, None]
    assert reasons(checked) == [(5, "active 'maybe' is neither true nor false")]


def test_stock_customers_and_campaigns_are_checked_alike() -> None:
    stock = pl.DataFrame(
        {
            "product_id": ["a", "a", "zz"],
            "at": ["2011-01-01"] * 3,
            "on_hand": ["3", "x", "1"],
            "unit_cost": ["1.5"] * 3,
        }
    )
    checked = check(stock, table=STOCK, products=pl.Series(["a"]), currency="GBP")
    assert [line for line, _ in reasons(checked)] == [2, 3]
    assert checked.frame["unit_cost_minor"].to_list() == [150]
    people = pl.DataFrame({"customer_id": ["c", None], "country": ["FR", "FR"], "email": ["a@b", "c@d"]})
    people_checked = check(people, table=CUSTOMERS)
    assert reasons(people_checked) == [(2, "customer_id is missing")]
    assert "email" not in people_checked.rejects["row"][0], "columns the contract does not know are not kept"
    ahead = pl.DataFrame({"campaign_id": ["x"], "starts_at": ["2030-01-01"]})
    assert check(ahead, table=CAMPAIGNS).frame.height == 1


cells = st.sampled_from(["1", "-2", "x", "", "2011-01-01", "purchase", "p1", "GBP", "9" * 30, "é", None])


@given(st.lists(st.tuples(*[cells] * 7), min_size=1, max_size=15))
@settings(max_examples=60, deadline=None)
def test_every_row_is_accounted_for_once(rows: list[tuple[Any, ...]]) -> None:
    names = ["event_id", "at", "customer_id", "product_id", "kind", "quantity", "currency"]
    raw = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row").with_row_index(
        "line", offset=2
    )
    checked = check(raw, products=pl.Series(["p1", "1"]))
    report = checked.report
    assert report.total("events") == len(rows)
    assert report.total("events", "kept", "repaired") == checked.frame.height
    assert report.total("events", "rejected") == checked.rejects.height
    assert checked.rejects["line"].is_unique().all()


TYPED = {
    "null": pl.Series([None, None]),
    "bool": pl.Series([True, False]),
    "int8": pl.Series([1, -1], dtype=pl.Int8),
    "uint64": pl.Series([2**64 - 1, 5], dtype=pl.UInt64),
    "int128": pl.Series([2**100, -(2**60)], dtype=pl.Int128),
    "float": pl.Series([float("inf"), float("nan")]),
    "huge": pl.Series([1e300, -1e18]),
    "decimal": pl.Series([Decimal("1.25"), None]),
    "categorical": pl.Series(["view", "x"], dtype=pl.Categorical),
    "date": pl.Series([date(2011, 1, 1), None]),
    "zoned": pl.Series([NOW, None]).dt.convert_time_zone("Asia/Tokyo"),
    "time": pl.Series([NOW.time(), None]),
    "duration": pl.Series([NOW - NOW, None]),
    "list": pl.Series([[1], [2]]),
    "struct": pl.Series([{"a": 1}, None]),
    "binary": pl.Series([b"a", None]),
    "object": pl.Series([object(), object()], dtype=pl.Object),
    "long text": pl.Series(["9" * 40, "\x00" * 300]),
}
REQUIRED = {
    "products": {"product_id": "p", "title": "t"},
    "customers": {"customer_id": "c"},
    "events": {"at": "2011-01-01", "product_id": "p", "kind": "view"},
    "stock": {"product_id": "p", "at": "2011-01-01", "on_hand": "1"},
    "campaigns": {"campaign_id": "c"},
}


@pytest.mark.parametrize("kind", TYPED)
@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_column_of_any_type_is_read_rejected_or_refused_by_name(table: Table, kind: str) -> None:
    names = [column.name for column in table.columns]
    for name in [*names, *(name.removesuffix("_minor") for name in names if name.endswith("_minor"))]:
        usual = {other: [cell, cell] for other, cell in REQUIRED[table.name].items()}
        raw = pl.DataFrame(usual).with_columns(TYPED[kind].alias(name))
        try:
            checked = check(raw, table=table, currency="GBP", products=pl.Series(["p"]))
        except DataError as error:
            if f"column '{name}' has the type" not in str(error):
                raise
            continue
        assert checked.report.total(table.name) == 2
        assert checked.report.total(table.name, "rejected") == checked.rejects.height
        checked.frame.to_dicts()  # every value that was kept is one that Python can hold
