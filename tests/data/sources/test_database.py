"""Tables by URL: SQLite made in the test; what is wrong is said, passwords are not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from storewise.core.errors import DataError
from storewise.data.sources.database import read_tables


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE products (product_id TEXT, title TEXT, line INTEGER)")
        db.execute("INSERT INTO products VALUES ('a', 'Mug', 7), ('b', NULL, 8)")
        db.execute('CREATE TABLE "order lines" (sku, units)')
        db.execute("""INSERT INTO "order lines" VALUES ('a', 1), ('b', 'two'), (3, NULL)""")
        db.execute("""CREATE VIEW events AS SELECT sku AS product_id FROM "order lines" """)
    return path


def test_tables_and_views_of_the_contract_are_read(shop: Path) -> None:
    found = read_tables(f"sqlite:///{shop}", ["products", "events", "stock"])
    assert set(found) == {"products", "events"}
    assert found["products"].columns == ["line", "product_id", "title", "line (of the table)"]
    assert found["products"].rows() == [(1, "a", "Mug", 7), (2, "b", None, 8)]


def test_a_column_of_several_types_is_read_as_text(shop: Path) -> None:
    origins = {"events": "order lines"}
    rows = read_tables(f"sqlite:///{shop}", ["events"], origins=origins)["events"].rows()
    assert rows == [(1, "a", "1"), (2, "b", "two"), (3, "3", None)]


def test_a_query_takes_the_place_of_a_table(shop: Path) -> None:
    query = "SELECT product_id AS sku FROM products WHERE title IS NOT NULL"
    found = read_tables(f"sqlite:///{shop}", ["products"], origins={"products": query})
    assert found["products"].rows() == [(1, "a")]


def test_nothing_is_written(shop: Path) -> None:
    before = shop.read_bytes()
    read_tables(f"sqlite:///{shop}", ["products"], origins={"products": "SELECT 1 AS one"})
    with pytest.raises(DataError):
        read_tables(f"sqlite:///{shop}", ["products"], origins={"products": "DELETE FROM products"})
    assert shop.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "origins", "message"),
    [
        ("sqlite:///{folder}/none.db", {}, "There is no database file"),
        ("sqlite:///{shop}", {"stock": "product"}, "Did you mean 'products'?"),
        ("sqlite:///{shop}", {"stock": "SELECT absent FROM products"}, "no such column"),
        ("sqlite:///{shop}", {"stock": "SELECT 1 AS a, 2 AS a"}, "a column name twice"),
        ("sqlite:///{shop}", {}, "has none of the tables stock"),
        ("nosuch://user:secret@host/db", {}, "cannot be opened"),
        ("no url", {}, "does not begin a database URL"),
    ],
)
def test_what_cannot_be_read_says_why_and_keeps_the_password(
    shop: Path, tmp_path: Path, url: str, origins: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_tables(url.format(shop=shop, folder=tmp_path), ["stock"], origins=origins)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("this is no database, whatever its name says")
    with pytest.raises(DataError, match="file is not a database"):
        read_tables(f"sqlite:///{path}", ["products"])
    assert not list(tmp_path.glob("none*"))
