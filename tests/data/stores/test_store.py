"""The store: what goes in comes out, once, and survives threads and reopening."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from storewise.core.clock import fixed_clock
from storewise.core.errors import DataError, StoreError
from storewise.data.event_ids import fill
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, REJECTS_SCHEMA, STOCK, Report, ShopTables
from storewise.data.stores import Appended, Store

START = datetime(2011, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def events(n: int, *, prefix: str = "e", start: datetime = START) -> pl.DataFrame:
    rows = [
        {
            "event_id": f"{prefix}{i}",
            "at": start + timedelta(minutes=i),
            "customer_id": f"c{i % 3}" if i % 4 else None,
            "session_id": f"s{i}",
            "product_id": f"p{i % 5}",
            "kind": "purchase" if i % 2 else "view",
            "quantity": i + 1,
            "unit_price_minor": 100 * i,
            "currency": "GBP",
            "propensity": 0.25,
        }
        for i in range(n)
    ]
    return EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.schema()))


def products(n: int = 5, title: str = "Cup") -> pl.DataFrame:
    return PRODUCTS.conform(
        pl.DataFrame({"product_id": [f"p{i}" for i in range(n)], "title": [title] * n, "active": [True] * n})
    )


def tables(frame: pl.DataFrame) -> ShopTables:
    report = Report()
    report.add("events", "kept", "as given", frame.height)
    return ShopTables(products(), frame, report=report)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "shop", clock=fixed_clock(NOW))


def test_events_come_back_as_they_went_in(store: Store) -> None:
    given = events(20)
    store.ingest(tables(given), "test")
    assert_frame_equal(store.events(), given)


def test_live_and_ingested_events_read_as_one_in_time_order(store: Store) -> None:
    late, early = events(10, prefix="late", start=START + timedelta(days=2)), events(10)
    store.ingest(tables(late), "test")
    assert store.append_events(early).accepted == 10
    assert_frame_equal(store.events(), pl.concat([early, late]))


def test_a_window_takes_its_start_and_leaves_its_end(store: Store) -> None:
    given = events(10)
    store.ingest(tables(given[:5]), "test")
    store.append_events(given[5:])
    found = store.events(since=given["at"][3], until=given["at"][7])
    assert found["event_id"].to_list() == ["e3", "e4", "e5", "e6"]
    naive = store.events(since=given["at"][3].replace(tzinfo=None), until=given["at"][7].replace(tzinfo=None))
    assert_frame_equal(naive, found)


def test_an_event_id_counts_once_wherever_it_was_first(store: Store) -> None:
    store.ingest(tables(events(10)), "test")
    assert store.append_events(events(12)).duplicates == 10
    receipt = store.ingest(tables(events(14)), "test")
    assert (receipt.new_events, receipt.duplicate_events) == (2, 12)
    assert receipt.report.total("events", "kept") == 2
    assert receipt.report.total("events", "set aside") == 12
    assert_frame_equal(store.events(), events(14))


def test_many_events_are_told_apart_by_the_same_rule_as_few(store: Store) -> None:
    store.ingest(tables(events(50)), "test")
    store.append_events(events(10, prefix="live"))
    many = pl.concat([events(12_000), events(10, prefix="live")])
    receipt = store.ingest(tables(many), "test")
    assert receipt.new_events == 12_000 - 50
    assert store.events()["event_id"].n_unique() == 12_010 == store.events().height


def test_events_without_an_id_are_added_once(store: Store) -> None:
    bare = events(10).with_columns(pl.lit(None, pl.String).alias("event_id"))
    twins = pl.concat([bare, bare[:1]])
    assert store.append_events(twins).accepted == 11
    assert store.append_events(twins).accepted == 0


def test_a_newer_product_row_takes_the_place_of_the_older(store: Store) -> None:
    store.ingest(tables(events(1)), "test")
    store.ingest(ShopTables(products(2, "Mug"), EVENTS.empty()), "test")
    assert store.products()["title"].to_list() == ["Mug", "Mug", "Cup", "Cup", "Cup"]


def test_the_rows_that_an_ingest_replaces_are_kept(tmp_path: Path) -> None:
    """Only those that change, with the time until which they stood; twice the same row changes nothing."""
    times = [NOW + timedelta(days=day) for day in range(3)]
    for at, frame in zip(times, (products(3), products(2, "Mug"), products(2, "Mug")), strict=True):
        with Store.open(tmp_path / "shop", clock=fixed_clock(at)) as store:
            store.ingest(ShopTables(frame, EVENTS.empty()), "test")
            found = store.past_products()
    assert found.select("product_id", "title", "until").rows() == [
        ("p0", "Cup", times[1]), ("p1", "Cup", times[1]),
    ]  # fmt: skip


def test_late_events_keep_when_they_came(store: Store) -> None:
    late = events(2).with_columns(pl.lit(NOW).dt.cast_time_unit("us").alias("known_at"))
    store.ingest(tables(late[:1]), "test")
    store.append_events(late[1:])
    assert store.events()["known_at"].to_list() == [NOW, NOW]
    again = late.with_columns(pl.lit(None, late["known_at"].dtype).alias("known_at"), event_id=pl.lit(None))
    filled = late.with_columns(event_id=pl.lit(None, pl.String))
    assert fill(again)["event_id"].to_list() == fill(filled)["event_id"].to_list(), "it is no content"


def test_segments_of_before_a_column_was_there_are_read(store: Store) -> None:
    older = events(3).drop("known_at")
    segment = store._log._segments.write(older)
    found = store._log._segments.scan([segment]).collect()
    assert found.columns == [column.name for column in EVENTS.columns]
    assert found["known_at"].null_count() == 3


def test_stock_gives_the_newest_row_of_each_product(store: Store) -> None:
    rows = [
        {"product_id": "p0", "at": START, "on_hand": 5},
        {"product_id": "p0", "at": START + timedelta(days=1), "on_hand": 3},
        {"product_id": "p1", "at": START, "on_hand": 9},
    ]
    stock = STOCK.conform(pl.DataFrame(rows))
    customers = CUSTOMERS.conform(pl.DataFrame({"customer_id": ["c1"], "country": ["FR"]}))
    store.ingest(ShopTables(products(), EVENTS.empty(), customers, stock), "test")
    assert_frame_equal(store.stock(), stock[1:])
    assert_frame_equal(store.stock(history=True), stock)
    assert_frame_equal(store.customers(), customers)


def test_reports_and_rejects_stay_with_their_ingest(store: Store) -> None:
    rejects = pl.DataFrame([("events", 7, "quantity is -1", "{}")], schema=REJECTS_SCHEMA, orient="row")
    first = store.ingest(ShopTables(products(), events(2), rejects=rejects, report=Report()), "a file")
    second = store.ingest(tables(events(4)), "another")
    assert store.rejects(first.ingest_id)["line"].to_list() == [7]
    assert store.rejects(second.ingest_id).height == 0
    found = store.reports(second.ingest_id)
    assert dict(zip(found["outcome"], found["rows"], strict=True)) == {"kept": 2, "set aside": 2}
    assert store.ingests()["source"].to_list() == ["a file", "another"]
    assert store.ingests()["at"].to_list() == [NOW, NOW]


def test_decisions_come_back(store: Store) -> None:
    items = [
        {"product_id": "p1", "position": 0, "score": 0.5, "propensity": 0.1, "reason": {"kind": "popular"}}
    ]
    row = {"decision_id": "d1", "at": NOW, "slot": "home", "step": "full", "items": items, "session_id": "s"}
    store.log_decisions([row])
    found = store.decisions()
    assert found["at"].to_list() == [NOW]
    assert found["items"].str.json_path_match("$[0].reason.kind").to_list() == ["popular"]
    assert store.decisions(until=NOW).height == 0


def test_customers_and_sessions_have_their_events(store: Store) -> None:
    given = events(12)
    store.ingest(tables(given[:6]), "test")
    store.append_events(given[6:])
    assert_frame_equal(store.customer_events("c1"), given.filter(pl.col("customer_id") == "c1"))
    assert store.session_events("s4")["event_id"].to_list() == ["e4"]


def test_the_revision_rises_with_every_write(store: Store) -> None:
    seen = [store.revision()]
    store.ingest(tables(events(1)), "test")
    seen.append(store.revision())
    store.append_events(events(2))
    seen.append(store.revision())
    assert seen == sorted(set(seen))


def test_threads_and_a_second_store_lose_nothing(store: Store) -> None:
    other = Store.open(store.folder)

    def send(target: Store, name: str) -> None:
        for number in range(10):
            target.append_events(events(1, prefix=f"{name}-{number}-"))

    threads = [
        threading.Thread(target=send, args=(target, f"{name}{i}"))
        for i in range(3)
        for name, target in (("one", store), ("two", other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.events().height == other.events().height == 60


def test_a_damaged_or_missing_segment_is_named(store: Store) -> None:
    store.ingest(tables(events(5)), "test")
    file = next((store.folder / "events").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreError, match=rf"{file.name} does not have the SHA-256"):
        Store.open(store.folder).events()
    file.unlink()
    with pytest.raises(StoreError, match=rf"{file.name} is missing"):
        Store.open(store.folder).events()


def test_no_shop_and_no_folder_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="storewise ingest"):
        Store.open(tmp_path, create=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "file")
    with pytest.raises(StoreError, match="Could not parse"):
        Store.open(tmp_path / "shop", url="no url")


def test_a_damaged_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"no database" * 500)
    with pytest.raises(StoreError, match=r"cannot be opened: file is not a database\."):
        Store.open(tmp_path)
    with Store.open(tmp_path / "other") as store:
        with store._engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE products")
        with pytest.raises(StoreError, match=r"cannot be read: no such table: products"):
            store.products()


def test_sqlite_is_set_to_keep_what_it_acknowledged(store: Store) -> None:
    with store._engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "2011-01-01"), ("kind", "bought"), ("quantity", "two"), ("propensity", "often")],
)
def test_a_live_event_of_a_wrong_type_is_refused_whole(store: Store, column: str, value: str) -> None:
    good = {"event_id": "a", "at": START, "product_id": "p0", "kind": "view"}
    with pytest.raises(DataError, match=f"{column} is '{value}'"):
        store.append_events([good, good | {"event_id": "b", column: value}])
    assert store.events().height == 0


def test_rows_and_frames_of_live_events_are_the_same(store: Store, tmp_path: Path) -> None:
    given = events(20)
    repeated = [*given.to_dicts(), *given.to_dicts()[:3]]
    assert store.append_events(repeated) == Appended(20, 3, frozenset(given["event_id"]))
    with Store.open(tmp_path / "other") as other:
        other.append_events(given)
        assert_frame_equal(store.events(), other.events())
    bare = given.with_columns(pl.lit(None, pl.String).alias("event_id"))
    assert store.append_events(bare.to_dicts()).accepted == 20
    assert store.append_events(bare).duplicates == 20


def test_a_source_that_repeats_a_key_is_counted_and_its_last_row_kept(store: Store) -> None:
    report = Report()
    report.add("products", "kept", "as given", 10)
    twice = pl.concat([products(5, "Old"), products(5, "New")])
    receipt = store.ingest(ShopTables(twice, EVENTS.empty(), report=report), "test")
    assert store.products()["title"].to_list() == ["New"] * 5
    assert (receipt.report.total("products", "kept"), receipt.report.total("products")) == (5, 10)


def test_a_fact_is_said_once_and_a_contradiction_changes_nothing(store: Store) -> None:
    store.ingest(tables(events(1)), "test", facts={"key": "a"})
    store.ingest(tables(events(2)), "test", facts={"key": "a"})
    with pytest.raises(StoreError, match="has key a, not b"):
        store.ingest(tables(events(3)), "test", facts={"key": "b"})
    assert (store.fact("key"), store.fact("other"), store.events().height) == ("a", None, 2)


def test_what_cannot_be_written_is_a_store_error(store: Store) -> None:
    row = {"decision_id": "d1", "at": NOW, "slot": "home", "step": "full", "items": []}
    store.log_decisions([row])
    with pytest.raises(StoreError, match=r"UNIQUE constraint failed.*Nothing was changed"):
        store.log_decisions([row | {"decision_id": "d2"}, row])
    assert store.decisions().height == 1


def test_a_warm_store_appends_without_reading_the_past(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.ingest(tables(events(20)), "test")
    store.warm()
    scans = []
    from storewise.data.stores.segments import Segments

    scan = Segments.scan
    monkeypatch.setattr(Segments, "scan", lambda self, parts: scans.append(parts) or scan(self, parts))
    assert store.append_events(events(3, prefix="new")).accepted == 3
    assert scans == []
    assert store.append_events(events(3)).duplicates == 3  # a match is confirmed in the files
    assert len(scans) == 1
