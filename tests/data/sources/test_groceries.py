"""Ta-Feng and Complete Journey: made-up rows with each fault, and the published counts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.schema import ShopTables
from storewise.data.sources import load_source


def outcomes(shop: ShopTables) -> dict[tuple[str, str], int]:
    report = shop.report.frame().filter(pl.col("table") == "events")
    return {(outcome, reason): rows for _, outcome, reason, rows, _ in report.iter_rows()}


TA_FENG = [
    # day, customer, age, region, subclass, product, units, cost, revenue
    (date(2000, 11, 1), 11, "45-49", "115", 100, 471, 2, 24, 30),
    (date(2000, 11, 1), 12, None, "Unknown", 100, 471, 3, 30, 50),
    (date(2000, 11, 1), 11, None, "115", 100, 472, 1, 0, 7),
    (date(2000, 11, 2), 11, None, "115", 100, 471, 0, 0, 7),
    (None, 11, None, "115", 100, 471, 1, 1, 7),
]
TA_FENG_COLUMNS = (
    "TRANSACTION_DT",
    "CUSTOMER_ID",
    "AGE_GROUP",
    "PIN_CODE",
    "PRODUCT_SUBCLASS",
    "PRODUCT_ID",
    "AMOUNT",
    "ASSET",
    "SALES_PRICE",
)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_ta_feng_lines(tmp_path: Path, kind: str) -> None:
    frame = pl.DataFrame(TA_FENG, schema=TA_FENG_COLUMNS, orient="row")
    path = tmp_path / f"t.{kind}"
    frame.write_parquet(path) if kind == "parquet" else frame.write_csv(path)
    shop = load_source("ta-feng", path)
    assert shop.events.select(
        "customer_id", "product_id", "quantity", "unit_price_minor", "session_id"
    ).rows() == [
        ("11", "471", 2, 1500, "2000-11-01-1"),
        ("12", "471", 3, 1667, "2000-11-01-2"),
        ("11", "472", 1, 700, "2000-11-01-1"),
    ]
    assert shop.events["at"][0] == datetime(2000, 11, 1, 4, tzinfo=UTC)  # noon in Taipei
    assert shop.events["currency"].unique().to_list() == ["TWD"]
    assert outcomes(shop) == {
        ("rejected", "customer, product or day is missing or unreadable"): 1,
        ("rejected", "units are below 1 or revenue is negative"): 1,
        ("repaired", "revenue is no multiple of the units: unit price rounded"): 1,
        ("kept", "as it was read"): 2,
    }
    assert shop.rejects["line"].to_list() == ([4, 5] if kind == "parquet" else [5, 6])
    costs = {row["product_id"]: json.loads(row["attributes"]) for row in shop.products.to_dicts()}
    assert costs == {"471": {"unit_cost_minor": 1000}, "472": {"unit_cost_minor": None}}
    people = {row["customer_id"]: json.loads(row["attributes"]) for row in shop.customers.to_dicts()}
    assert people["11"] == {"age_group": "45-49", "region": "115"}
    assert people["12"] == {"age_group": None, "region": None}


def test_ta_feng_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"PRODUCT_ID": [1]}).write_parquet(path)
    with pytest.raises(DataError, match="lacks the columns TRANSACTION_DT, CUSTOMER_ID"):
        load_source("ta-feng", path)


def test_real_ta_feng(shared_data: Path) -> None:
    path = shared_data / "ta-feng" / "ta_feng.parquet"
    if not path.exists():
        pytest.skip(f"no {path}")
    shop = load_source("ta-feng", path)
    assert (shop.events.height, shop.customers.height, shop.products.height) == (817_741, 32_266, 23_812)
    source = pl.read_parquet(path)
    assert shop.events["quantity"].sum() == source["AMOUNT"].sum()
    revenue = shop.events.select(
        (pl.col("quantity").cast(pl.Int64) * pl.col("unit_price_minor")).sum()
    ).item()
    expected = source["SALES_PRICE"].sum() * 100
    # Rounding to a cent can cost each line at most half a cent for every unit.
    assert abs(revenue - expected) <= source.filter(pl.col("AMOUNT") > 1)["AMOUNT"].sum() / 2
    assert shop.events.select(pl.col("at").dt.date().n_unique()).item() == source["TRANSACTION_DT"].n_unique()
    assert shop.events["session_id"].n_unique() == source.select("TRANSACTION_DT", "CUSTOMER_ID").n_unique()


AT = datetime(2017, 1, 28, 19, 6, 53)


def complete_journey(folder: Path, *lines: tuple[Any, ...]) -> ShopTables:
    columns = ("household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp")
    pl.DataFrame(lines, schema=columns, orient="row", strict=False).write_parquet(
        folder / "transactions.parquet"
    )
    (folder / "products.csv").write_text(
        "product_id,manufacturer_id,department,brand,product_category,product_type,package_size\n"
        "p,2,GROCERY,National,FRZN ICE,ICE,22 LB\nq,2,PASTRY,Private,,,\n"
        "f,2,FUEL,National,COUPON/MISC ITEMS,GASOLINE-REG,\nc,2,COUPON,National,COUPONS,,\n"
    )
    (folder / "demographics.csv").write_text(
        "household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count\n"
        "1,65+,35-49K,Homeowner,Married,2,2 Adults No Kids,0\n"
    )
    (folder / "campaign_descriptions.csv").write_text(
        "campaign_id,campaign_type,start_date,end_date\n1,Type B,2017-03-03,2017-04-09\n"
    )
    (folder / "campaigns.csv").write_text("campaign_id,household_id\n1,105\n1,1238\n")
    return load_source("complete-journey", folder)


def test_complete_journey_lines(tmp_path: Path) -> None:
    shop = complete_journey(
        tmp_path,
        ("1", "b1", "p", 2.0, 3.0, AT),
        ("2", "b2", "q", 3.0, 1.0, AT),
        ("2", "b2", "p", 0.0, 0.0, AT),
        ("2", "b2", "f", 8776.0, 23.25, AT),
        ("2", "b2", "c", 1.0, 1.0, AT),
        ("2", "b2", "none", 1.0, 1.0, AT),
        ("2", "b2", "p", -1.0, 1.0, AT),
        ("2", "b2", "p", 1.5, 1.0, AT),
        (None, "b2", "p", 1.0, 1.0, AT),
    )
    assert shop.events.select(
        "customer_id", "session_id", "product_id", "quantity", "unit_price_minor"
    ).rows() == [
        ("1", "b1", "p", 2, 150),
        ("2", "b2", "q", 3, 33),
    ]
    assert shop.events["at"][0] == AT.replace(tzinfo=UTC)
    assert outcomes(shop) == {
        ("rejected", "household, product or time is missing or unreadable"): 1,
        ("rejected", "quantity or sales value is negative"): 1,
        ("rejected", "quantity is no whole number"): 1,
        ("set aside", "no unit sold"): 1,
        ("set aside", "product is not in the catalogue"): 1,
        ("set aside", "no product: coupon"): 1,
        ("set aside", "fuel: thousandths of a gallon, no units"): 1,
        ("repaired", "value is no multiple of the units: unit price rounded"): 1,
        ("kept", "as it was read"): 1,
    }


def test_complete_journey_catalogue_people_and_campaigns(tmp_path: Path) -> None:
    shop = complete_journey(tmp_path, ("1", "b1", "p", 2.0, 3.0, AT), ("3", "b3", "q", 1.0, 1.0, AT))
    titles = shop.products.select("product_id", "title", "category", "price_minor").rows()
    assert titles[:2] == [("p", "ICE, 22 LB", "FRZN ICE", 150), ("q", "PASTRY", "PASTRY", 100)]
    assert shop.customers["customer_id"].to_list() == ["1", "3"]
    assert json.loads(shop.customers["attributes"][0])["age"] == "65+"
    assert shop.customers["attributes"][1] is None
    campaign = shop.campaigns.to_dicts()[0]
    assert campaign["starts_at"] == datetime(2017, 3, 3, tzinfo=UTC)
    assert campaign["ends_at"] == datetime(2017, 4, 10, tzinfo=UTC)  # the last day is included
    assert json.loads(campaign["attributes"]) == {"households": 2}


def test_real_complete_journey(shared_data: Path) -> None:
    folder = shared_data / "complete-journey-2"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    shop = load_source("complete-journey", folder)
    assert shop.report.total("events") == 75_000
    assert shop.report.total("events", "kept", "repaired") == shop.events.height
    assert shop.report.total("events", "set aside", "rejected") == shop.rejects.height
    assert shop.products.height == 92_331
    source = pl.read_parquet(folder / "transactions_sample.parquet")
    everybody = set(source["household_id"]) | set(
        pl.read_csv(folder / "demographics.csv")["household_id"].cast(str)
    )
    assert set(shop.customers["customer_id"]) <= everybody
    assert shop.campaigns.height == pl.read_csv(folder / "campaign_descriptions.csv").height
    assert shop.products["product_id"].is_unique().all()
