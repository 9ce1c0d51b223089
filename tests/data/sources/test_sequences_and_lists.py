"""``user item item …`` files: order, odd lines, attributes, splits."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.sources import load_source

SEQUENCES = "u1 a b a\r\n\r\nu2 c\r\n  u3 \r\nü4 a\tb\r\n"


def order(events: pl.DataFrame) -> dict[str, list[str]]:
    return dict(
        events.sort("at", maintain_order=True)
        .group_by("customer_id", maintain_order=True)
        .agg("product_id")
        .iter_rows()
    )


def test_a_sequence_keeps_its_order_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(SEQUENCES)
    shop = load_source("sequences", path)
    assert order(shop.events) == {"u1": ["a", "b", "a"], "u2": ["c"], "ü4": ["a", "b"]}
    assert shop.events["at"].is_sorted()
    assert shop.events.group_by("customer_id").agg(pl.col("at").max())["at"].n_unique() == 1
    assert shop.customers["customer_id"].to_list() == ["u1", "u2", "ü4"]
    assert shop.report.total("customers", "set aside") == 1
    assert shop.report.total("events") == 6


def test_attributes_are_found_beside_the_packed_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(SEQUENCES.encode()))
    (tmp_path / "x_item2attributes.json").write_text('{"a": [1, 2], "z": [3]}')
    shop = load_source("sequences", tmp_path)
    attributes = dict(shop.products.select("product_id", "attributes").iter_rows())
    assert {key: value and json.loads(value) for key, value in attributes.items()} == {
        "a": {"attributes": [1, 2]},
        "b": None,
        "c": None,
    }
    assert shop.report.total("products", "set aside") == 1


def test_broken_attributes_and_two_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("u a\n")
    (tmp_path / "x_item2attributes.json").write_text("[1]")
    with pytest.raises(DataError, match="no JSON object of lists"):
        load_source("sequences", tmp_path)
    (tmp_path / "y.txt").write_text("u a\n")
    with pytest.raises(DataError, match=r"holds 2 text files \(x.txt, y.txt\)"):
        load_source("sequences", tmp_path)


def test_lists_give_the_training_part_alone(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1 a b a\n2 c\n")
    (tmp_path / "test.txt.gz").write_bytes(gzip.compress(b"1 d e\n"))
    shop = load_source("lists", tmp_path)
    assert order(shop.events) == {"1": ["a", "b"], "2": ["c"]}
    assert "d" not in shop.products["product_id"].to_list()
    report = shop.report.frame().filter(pl.col("table") == "events")
    assert report.select("outcome", "rows").rows() == [("set aside", 2), ("kept", 3), ("set aside", 1)]


def test_lists_without_a_test_part_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1 a\n")
    with pytest.raises(DataError, match=r"has no test.txt; it holds train.txt"):
        load_source("lists", tmp_path)


def test_a_source_without_embedded_data_needs_a_path() -> None:
    with pytest.raises(DataError, match="'lists' has no embedded data"):
        load_source("lists")
    with pytest.raises(DataError, match="There is no file or folder"):
        load_source("sequences", Path("/nowhere/at/all"))


@pytest.mark.parametrize(
    ("source", "folder", "counts"),
    [
        ("sequences", "amazon-2014-5core-s3rec", (198_502, 12_101, 22_363)),
        ("lists", "amazon-cds-m1", (604_475, 35_648, 43_169)),
    ],
)
def test_real_files(shared_data: Path, source: str, folder: str, counts: tuple[int, int, int]) -> None:
    if not (shared_data / folder).is_dir():
        pytest.skip(f"no {shared_data / folder}")
    shop = load_source(source, shared_data / folder)
    assert (shop.events.height, shop.products.height, shop.customers.height) == counts
