"""Pseudonyms: against the standard library's HMAC, and a key nobody else may read."""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storewise.core.errors import AccessDenied, DataError
from storewise.data.privacy import KEY_FILE, Pseudonyms, read_key
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, REJECTS_SCHEMA, Report, ShopTables

KEY, OTHER = bytes(range(32)), bytes(32)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_pseudonym_is_the_keyed_hash_and_nothing_else(one: str, two: str) -> None:
    hidden = Pseudonyms(KEY)
    wanted = hmac.new(KEY, b"customer\x1f" + one.encode(), hashlib.sha256).hexdigest()[:32]
    assert hidden.customer(one) == wanted == Pseudonyms(KEY).customer(one)
    assert (hidden.customer(one) == hidden.customer(two)) == (one == two)
    assert hidden.customer(one) != Pseudonyms(OTHER).customer(one)
    assert hidden.customer(one) != hidden.session(one)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))))
def test_columns_hide_each_value_as_single_calls_do(ids: list[str | None]) -> None:
    hidden = Pseudonyms(KEY)
    found = hidden.customers(pl.Series("customer_id", ids, dtype=pl.String))
    assert found.name == "customer_id"
    assert found.to_list() == [None if i is None else hidden.customer(i) for i in ids]


def test_no_id_of_the_shop_is_left_anywhere_in_its_tables() -> None:
    row = {"at": datetime(2011, 1, 1, tzinfo=UTC), "product_id": "p", "kind": "view"}
    events = EVENTS.conform(pl.DataFrame([row | {"customer_id": "Ann-007", "session_id": "cookie-99"}]))
    customers = CUSTOMERS.conform(pl.DataFrame({"customer_id": ["Ann-007"]}))
    source = {"Customer ID": "Ann-007", "Invoice": "cookie-99", "Kunde": "Ann-007", "qty": -1}
    rejects = pl.DataFrame(
        [
            ("events", 3, "quantity is -1", orjson.dumps(source).decode()),
            ("events", 4, "x", "not JSON Ann-007"),
        ],
        schema=REJECTS_SCHEMA,
        orient="row",
    )
    report = Report()
    report.add("customers", "repaired", "two countries", 1, example="Ann-007")
    tables = ShopTables(PRODUCTS.empty(), events, customers, rejects=rejects, report=report)
    found = Pseudonyms(KEY).tables(tables, named={"Kunde": "customer"})
    text = "".join(
        frame.write_csv() for frame in (found.events, found.customers, found.rejects, found.report.frame())
    )
    assert "Ann-007" not in text
    assert "cookie-99" not in text
    pseudonym = Pseudonyms(KEY).customer("Ann-007")
    assert found.events["customer_id"].to_list() == found.customers["customer_id"].to_list() == [pseudonym]
    assert orjson.loads(found.rejects["row"][0])["Customer ID"] == pseudonym
    assert orjson.loads(found.rejects["row"][0])["qty"] == -1


def test_a_new_key_is_private_random_and_stays(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        key = read_key(tmp_path / "shop" / KEY_FILE, create=True)
    finally:
        os.umask(old_mask)
    file = tmp_path / "shop" / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_key(file, create=True) == key
    assert read_key(tmp_path / "other.key", create=True) != key
    assert [path.name for path in file.parent.iterdir()] == [KEY_FILE]
    assert Pseudonyms.of(tmp_path / "shop").customer("x") == Pseudonyms(key).customer("x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    read_key(file, create=True)
    file.chmod(mode)
    with pytest.raises(AccessDenied, match=f"chmod 600 {file}"):
        read_key(file)


def test_a_missing_or_spoiled_key_is_an_error_that_says_what_it_means(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Restore it from your backup"):
        read_key(tmp_path / "none")
    (tmp_path / "short").write_text("abc")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(DataError, match="does not hold 64 hex digits"):
        read_key(tmp_path / "short")
    with pytest.raises(DataError, match="is no regular file"):
        read_key(tmp_path)
