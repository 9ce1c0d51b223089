"""Any table file: encodings, separators, headers and cells as shops write them."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.number_text import read_numbers
from storewise.data.table_file import read_table

ROWS = [("grün", 1.5, 1), ("blau", -2.25, 0), ("rot", 1000.5, 1)]


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def plain(separator: str = ",", decimal: str = ".") -> str:
    rows = [separator.join((a, str(b).replace(".", decimal), str(y))) for a, b, y in ROWS]
    return "\n".join([separator.join(("farbe", "preis", "y")), *rows]) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), ("\t", "."), ("|", ",")])
def test_encodings_and_separators(tmp_path, encoding, separator, decimal):
    frame = read_table(written(tmp_path / "a.csv", plain(separator, decimal), encoding))
    assert frame.columns == ["farbe", "preis", "y"]
    assert frame.rows() == ROWS


def test_chinese_of_an_old_windows(tmp_path):
    text = "商品名称,价格,标签\n" + "连衣裙 夏季新款,99,1\n运动鞋,59,0\n" * 5
    frame = read_table(written(tmp_path / "a.csv", text, "gb18030"))
    assert frame.columns == ["商品名称", "价格", "标签"]
    assert frame["商品名称"][1] == "运动鞋"


def test_packed_and_parquet(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(plain().encode()))
    read_table(tmp_path / "a.csv.gz").write_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").rows() == ROWS


def test_headers(tmp_path):
    years = read_table(written(tmp_path / "a.csv", "id,2023,y\nx,5,1\n"), known=["y"])
    assert years.columns == ["id", "2023", "y"]
    assert read_table(written(tmp_path / "b.csv", "0,5\n1,6\n")).columns == ["column_1", "column_2"]
    twice = read_table(written(tmp_path / "c.csv", 'a,a,"say ""hi""",y\n1,2,3,1\n'), known=["y"])
    assert twice.columns == ["a", "a_2", 'say "hi"', "y"]


def test_dates_and_times_become_such(tmp_path):
    text = (
        "on,at,created_at,n\n" + "25/12/2023,09:30,1700000000,1700000000\n03/01/2024,18:05,1700086400,5\n" * 3
    )
    kinds = read_table(written(tmp_path / "a.csv", text)).schema
    assert kinds == {"on": pl.Datetime("us"), "at": pl.Time, "created_at": pl.Datetime("us"), "n": pl.Int64}


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["$1,234.50", "$7"], [1234.5, 7.0]), (["12.5%", "3%"], [12.5, 3.0]), (["1.234,5", "7,25"], [1234.5, 7.25]),
        (["1,234", "5,678"], [1234.0, 5678.0]), (["(3)", "€ 4"], [-3.0, 4.0]), (["¥99", None, "n/a"], [99.0, None, None]),
        (["1,2,3", "4"], None), (["red", "12"], None), (["45-54", "65+"], None),
    ],
)  # fmt: skip
def test_numbers_for_people(cells, numbers):
    found = read_numbers(pl.Series(cells))
    assert (None if found is None else found.to_list()) == numbers


def test_words_between_numbers_are_left(tmp_path):
    text = "size\n" + "\n".join(["38", "40", "unknown"] * 5) + "\n"
    assert read_table(written(tmp_path / "a.csv", text))["size"].dtype == pl.String


@pytest.mark.parametrize(
    ("text", "told"),
    [("a,b\n1,2\n3,4,5\n", "Line 3 has 3 cells, the first 2"), ("a,b\n", "no rows"), ("", "empty")],
)
def test_bad_files(tmp_path, text, told):
    with pytest.raises(DataError, match=told):
        read_table(written(tmp_path / "a.csv", text))


def test_other_kinds_of_file(tmp_path):
    with pytest.raises(DataError, match="no table"):
        read_table(written(tmp_path / "a.json", "{}"))
    with pytest.raises(DataError, match="cannot be read"):
        read_table(written(tmp_path / "a.parquet", "nonsense"))
