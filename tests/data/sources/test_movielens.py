"""MovieLens: a made-up folder with its faults, and the published counts of the real one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.sources import load_source

FILES = {
    "u.genre": "unknown|0\nComedy|2\nAction|1\n\n",
    "u.item": "1|Les Misérables (1995)|01-Jan-1995||http://x|0|1|1\n2|unknown|||\t|1|0|0\n",
    "u.user": "9|24|F|writer|85711\n",
    "u.data": "9\t1\t5\t100\n9\t2\t3\t50\n9\t3\t3\t60\n9\t1\t6\t60\n9\t1\tbad\t60\n\n9\t1\t4\tnow\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    return tmp_path


def test_ratings_in_time_order_and_rejects_with_their_line(folder: Path) -> None:
    shop = load_source("movielens", folder)
    assert shop.events.select("customer_id", "product_id", "kind", "value").rows() == [
        ("9", "2", "rating", 3.0),
        ("9", "1", "rating", 5.0),
    ]
    assert shop.events["at"][0] == datetime(1970, 1, 1, 0, 0, 50, tzinfo=UTC)
    assert shop.rejects.select("line", "reason").rows() == [
        (3, "rejected: film is not in u.item"),
        (4, "rejected: rating is no number from 1 to 5"),
        (5, "rejected: rating is no number from 1 to 5"),
        (7, "rejected: time is no number of seconds"),
    ]
    assert shop.report.total("events") == 6


def test_films_with_genres_and_users_without_zip(folder: Path) -> None:
    shop = load_source("movielens", folder)
    assert shop.products.select("title", "category").rows() == [
        ("Les Misérables (1995)", "Action"),
        ("unknown", None),
    ]
    assert json.loads(shop.products["attributes"][0])["genres"] == ["Action", "Comedy"]
    assert json.loads(shop.customers["attributes"][0]) == {"age": 24, "gender": "F", "occupation": "writer"}


def test_a_line_of_another_width_is_refused_with_its_number(folder: Path) -> None:
    (folder / "u.data").write_text("9\t1\t5\t100\n9\t1\t5\n")
    with pytest.raises(DataError, match=r"u.data, line 2: 3 columns, 4 are due"):
        load_source("movielens", folder)


def test_a_missing_file_says_what_is_there(folder: Path) -> None:
    (folder / "u.user").unlink()
    with pytest.raises(DataError, match=r"has no u.user; it holds u.data, u.genre, u.item"):
        load_source("movielens", folder)


def test_real_ratings(shared_data: Path) -> None:
    source = shared_data / "ml-100k"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    shop = load_source("movielens", source)
    assert (shop.events.height, shop.products.height, shop.customers.height) == (100_000, 1_682, 943)
    assert shop.rejects.height == 0
    # Published in the README: ratings from 1997-09-19 to 1998-04-22 (local), at least 20 a user.
    assert shop.events["at"].dt.date().min() == datetime(1997, 9, 20).date()
    assert shop.events["at"].dt.date().max() == datetime(1998, 4, 22).date()
    assert shop.events.group_by("customer_id").len()["len"].min() == 20
    assert shop.events["value"].mean() == pytest.approx(3.52986)
    titles = dict(shop.products.select("product_id", "title").iter_rows())
    assert titles["543"] == "Misérables, Les (1995)"
    assert shop.products.filter(pl.col("category").is_null()).height == 2
