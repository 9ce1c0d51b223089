"""Ingest as a whole: files in, a shop out, once, and nobody named in it."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storewise.core.clock import fixed_clock
from storewise.core.errors import AccessDenied, ConfigError, DataError, UnknownName
from storewise.data.mapping import ShopMapping, TableMapping, read_mapping
from storewise.data.privacy import KEY_FILE, Pseudonyms
from storewise.data.stores import Store
from storewise.engine.ingest import IngestRequest, IngestResult, ingest, rejects_of

CLOCK = fixed_clock(datetime(2012, 1, 1, tzinfo=UTC))
PRODUCTS = "product_id,title,price,currency\ncup,Red cup,2.50,GBP\nmug,Blue mug,3.10,GBP\n"
EVENTS = (
    "event_id,at,customer_id,session_id,product_id,kind,quantity\n"
    "e1,2011-05-01 10:00,ann@example.org,web-1,cup,purchase,2\n"
    "e2,2011-05-02 10:00,bob@example.org,web-2,mug,view,\n"
    "e3,2011-05-03 10:00,bob@example.org,web-2,plate,view,\n"
    "e4,2011-05-04 10:00,,web-3,cup,purchase,-1\n"
)


def files(folder: Path, **texts: str) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.csv" for name in texts}


def request(tmp_path: Path, **options: object) -> IngestRequest:
    given_files = options.pop("files", None)
    found = (
        given_files if given_files is not None else files(tmp_path / "in", products=PRODUCTS, events=EVENTS)
    )
    return IngestRequest(shop=tmp_path / "shop", files=found, **options)  # type: ignore[arg-type]


def run(tmp_path: Path, **options: object) -> IngestResult:
    return ingest(request(tmp_path, **options), clock=CLOCK)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_become_a_shop_and_bad_rows_keep_line_and_reason(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.rows == {"products": 2, "customers": 0, "events": 2, "stock": 0, "campaigns": 0}
    assert result.report.total("events", "rejected") == 2
    with Store.open(tmp_path / "shop") as store:
        assert store.events()["event_id"].to_list() == ["e1", "e2"]
        assert store.products()["price_minor"].to_list() == [250, 310]
        kept = store.rejects(result.ingest_id)
    assert kept.select("line", "reason").rows() == [
        (4, "product_id 'plate' is not in the catalogue"),
        (5, 'quantity \'-1\' is below 1 (for goods that came back use kind "return", '
            'or negative_quantity = "return" in the mapping)'),
    ]  # fmt: skip
    assert rejects_of(tmp_path / "shop")[1].height == 2
    with pytest.raises(UnknownName, match="no ingest 7"):
        rejects_of(tmp_path / "shop", 7)


def test_no_name_of_a_customer_or_session_reaches_the_shop(tmp_path: Path) -> None:
    run(tmp_path)
    secret = [b"ann@example.org", b"bob@example.org", b"web-1", b"web-2", b"web-3"]
    with Store.open(tmp_path / "shop") as store:
        found = store.events()
        text = (found.write_csv() + store.rejects().write_csv()).encode()
    assert not [word for word in secret if word in text]
    raw = b"".join(path.read_bytes() for path in (tmp_path / "shop").rglob("*") if path.is_file())
    assert not [word for word in secret if word in raw]
    hidden = Pseudonyms.of(tmp_path / "shop")
    assert found["customer_id"][0] == hidden.customer("ann@example.org")
    assert found["session_id"][0] == hidden.session("web-1")


def test_a_second_ingest_of_the_same_files_adds_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    with Store.open(tmp_path / "shop") as store:
        before = store.events()
    again = run(tmp_path)
    assert again.rows["events"] == 0
    assert again.report.total("events", "set aside") == 2
    assert again.report.total("events") == 4
    with Store.open(tmp_path / "shop") as store:
        assert store.events().equals(before)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b"]),
            st.sampled_from(["2011-01-01", "2011-01-02", "never"]),
            st.sampled_from(["", "x", "y"]),
            st.sampled_from(["cup", "mug", "plate"]),
            st.sampled_from(["view", "purchase", "steal"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(min_value=0, max_value=12),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ingesting_twice_or_in_pieces_is_ingesting_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], cut: int
) -> None:
    """Rows without an id that are equal count as often as they stand in the fullest single file."""
    header = "event_id,at,customer_id,product_id,kind\n"
    text = header + "".join(",".join(row) + "\n" for row in rows)
    part = header + "".join(",".join(row) + "\n" for row in rows[:cut])
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    # The same key in both shops, so that their pseudonyms can be compared.
    Pseudonyms.of(one / "shop", create=True)
    (two / "shop").mkdir()
    (two / "shop" / KEY_FILE).write_bytes((one / "shop" / KEY_FILE).read_bytes())
    (two / "shop" / KEY_FILE).chmod(0o600)
    result = run(one, files=files(one / "in", products=PRODUCTS, events=text))
    if rows[:cut]:
        run(two, files=files(two / "part", products=PRODUCTS, events=part))
    for _ in range(2):
        run(two, files=files(two / "in", products=PRODUCTS, events=text))
    assert result.report.total("events") == len(rows)
    order = ["event_id", "at", "product_id"]
    with Store.open(one / "shop") as left, Store.open(two / "shop") as right:
        assert left.events().sort(order).equals(right.events().sort(order))
        assert left.events().height == result.rows["events"]


def test_a_dry_run_tells_the_same_and_changes_nothing(tmp_path: Path) -> None:
    dry = run(tmp_path, dry_run=True)
    assert not (tmp_path / "shop").exists()
    real = run(tmp_path)
    assert dry.ingest_id is None
    assert dry.report.frame().equals(real.report.frame())
    assert dry.rows == real.rows
    before = contents(tmp_path / "shop")
    again = run(tmp_path, dry_run=True)
    assert again.rows["events"] == 0
    assert contents(tmp_path / "shop") == before


def test_the_key_lies_where_it_is_told_and_must_be_private(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "shop.key"
    run(tmp_path, key_file=key)
    assert not (tmp_path / "shop" / KEY_FILE).exists()
    with Store.open(tmp_path / "shop") as store:
        assert store.events()["customer_id"][0] == Pseudonyms.of(tmp_path, key_file=key).customer(
            "ann@example.org"
        )
    key.chmod(0o644)
    with pytest.raises(AccessDenied, match="chmod 600"):
        run(tmp_path, key_file=key)


def test_a_bad_file_leaves_no_shop_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lack the column"):
        run(tmp_path, files=files(tmp_path / "in", events="a,b\n1,2\n"))
    assert not (tmp_path / "shop").exists()


def test_one_kind_of_source_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing was named"):
        run(tmp_path, files={})
    with pytest.raises(ConfigError, match="More than one"):
        run(tmp_path, source="online-retail")
    with pytest.raises(ConfigError, match="no table 'orders'"):
        run(tmp_path, files={"orders": tmp_path / "x.csv"})


def test_without_a_catalogue_the_events_make_one(tmp_path: Path) -> None:
    result = run(tmp_path, files=files(tmp_path / "in", events=EVENTS))
    assert result.rows["products"] == 3
    with Store.open(tmp_path / "shop") as store:
        assert store.products()["title"].to_list() == ["cup", "mug", "plate"]


def test_later_files_are_held_against_the_shop_as_it_is(tmp_path: Path) -> None:
    run(tmp_path)
    more = "event_id,at,product_id,kind,unit_price,currency\ne9,2011-06-01,mug,purchase,3,GBP\n"
    euro = "e10,2011-06-01,mug,purchase,3,EUR\n"
    unknown = "e11,2011-06-01,plate,purchase,3,GBP\n"
    result = run(tmp_path, files=files(tmp_path / "more", events=more + euro + unknown))
    assert result.rows["events"] == 1
    assert result.rejects["line"].to_list() == [3, 4]
    assert "not the shop's, GBP" in result.rejects["reason"][0]


def test_when_nothing_can_be_used_the_result_warns(tmp_path: Path) -> None:
    bad = "at,product_id,kind\nnever,cup,view\n"
    result = run(tmp_path, files=files(tmp_path / "in", products=PRODUCTS, events=bad))
    assert result.warnings == ("None of the 1 rows of events can be used; the report says why.",)


def test_a_database_is_read_by_url_and_its_password_is_not_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as erp:
        erp.execute("CREATE TABLE products (product_id TEXT, title TEXT, price REAL, currency TEXT)")
        erp.execute("INSERT INTO products VALUES ('cup', 'Cup', 2.5, 'GBP')")
        erp.execute("CREATE TABLE sales (at TEXT, sku TEXT, who INTEGER)")
        erp.execute("INSERT INTO sales VALUES ('2011-05-01 10:00', 'cup', 17), ('soon', 'cup', 18)")
    mapping = ShopMapping(
        events=TableMapping(
            query="SELECT * FROM sales",
            columns={"product_id": "sku", "customer_id": "who"},
            fixed={"kind": "purchase"},
        )
    )
    result = run(tmp_path, files={}, sql=f"sqlite:///{tmp_path / 'erp.db'}", mapping=mapping)
    assert result.rows["events"] == 1
    assert result.rejects["line"].to_list() == [2]
    assert '"who":"18"' not in result.rejects["row"][0], "the mapping says that who is a customer"


def test_a_mapping_file_is_typed_and_its_mistakes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text('[events]\ntimezone = "Europe/Londn"\n')
    with pytest.raises(ConfigError, match="did you mean 'Europe/London'"):
        read_mapping(file)
    file.write_text('[events.columns]\nprodct_id = "SKU"\n')
    with pytest.raises(
        ConfigError, match=r"'prodct_id' is no column of events \(did you mean 'product_id'\?\)"
    ):
        read_mapping(file)
    file.write_text("[orders]\n")
    with pytest.raises(ConfigError, match="'orders' is not a known key"):
        read_mapping(file)


def test_parquet_files_are_taken_as_they_are_typed(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"at": [datetime(2011, 5, 1)], "product_id": ["cup"], "kind": ["view"], "customer_id": [12345.0]}
    )
    frame.write_parquet(tmp_path / "events.parquet")
    result = run(tmp_path, files={"events": tmp_path / "events.parquet"})
    with Store.open(tmp_path / "shop") as store:
        assert store.events()["customer_id"][0] == Pseudonyms.of(tmp_path / "shop").customer("12345")
    assert result.rows["events"] == 1


def test_another_key_or_none_is_refused_once_there_are_pseudonyms(tmp_path: Path) -> None:
    run(tmp_path)
    other = tmp_path / "other.key"
    Pseudonyms.of(tmp_path, key_file=other, create=True)
    with pytest.raises(DataError, match="is not the key that the pseudonyms"):
        run(tmp_path, key_file=other)
    (tmp_path / "shop" / KEY_FILE).unlink()
    for dry_run in (True, False):
        with pytest.raises(DataError, match="Restore it from your backup"):
            run(tmp_path, dry_run=dry_run)
    assert not (tmp_path / "shop" / KEY_FILE).exists(), "no new key is made beside old pseudonyms"
