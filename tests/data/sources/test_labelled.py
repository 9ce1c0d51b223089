"""Catalogues with a column to predict: any of the formats, ids and texts found by what is in them."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError
from storewise.data.sources.labelled import read_labelled, read_photos, read_table

TABLE = pl.DataFrame(
    {
        "ref": [f"{i}" for i in range(30)],
        "brand name": ["Acme Ltd", "Nord & Co"] * 15,
        "group": ["tops", "shoes", "bags"] * 10,
        "product title": [f"Blue thing number {i}" for i in range(30)],
        "Description": [None, *(f"It is made for use {i}, and holds." for i in range(1, 30))],
        "kind": ["shirt", "boot", "bag"] * 10,
        "price": list(range(30)),
        "fold": ["train"] * 20 + ["Dev"] * 4 + ["TEST"] * 6,
    }
)


@pytest.fixture(params=["csv", "csv.gz", "tsv", "parquet", "jsonl", "jsonl.gz"])
def path(request, tmp_path):
    file = tmp_path / f"shop.{request.param}"
    kind = request.param
    if kind == "parquet":
        TABLE.write_parquet(file)
        return file
    text = (
        TABLE.write_ndjson() if "json" in kind else TABLE.write_csv(separator="\t" if kind == "tsv" else ",")
    )
    file.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
    return file


def test_every_format_reads_alike(path):
    found = read_labelled(path, "kind", split="fold")
    assert found.ids == [str(i) for i in range(30)]
    assert found.text_columns == ["product title", "Description"]  # a brand is no text, nor is a group
    assert found.texts[0] == "Blue thing number 0"
    assert found.texts[4] == "Blue thing number 4 It is made for use 4, and holds."
    assert found.labels[:3] == ["shirt", "boot", "bag"]
    assert found.parts[0] == "train"
    assert found.parts[20] == "validation"
    assert found.parts[29] == "test"
    assert found.photos is None
    assert "text from product title, Description" in found.notes


def test_the_label_is_never_text(tmp_path):
    file = tmp_path / "c.csv"
    TABLE.write_csv(file)
    assert "product title" not in read_labelled(file, "product title").text_columns


def test_photos_by_parquet_and_by_folder(tmp_path):
    file, folder = tmp_path / "c.csv", tmp_path / "photos"
    TABLE.write_csv(file)
    (folder / "more").mkdir(parents=True)
    (folder / "3.jpg").write_bytes(b"three")
    (folder / "more" / "5.WEBP").write_bytes(b"five")
    (folder / "notes.txt").write_bytes(b"no photo")
    pl.DataFrame({"data": [b"three", b"five", None], "number": [3, 5, 6]}).write_parquet(
        tmp_path / "p.parquet"
    )
    for images in (folder, tmp_path / "p.parquet"):
        found = read_labelled(file, "kind", images=images)
        assert {i: p for i, p in zip(found.ids, found.photos, strict=True) if p} == {
            "3": b"three",
            "5": b"five",
        }


def test_the_id_is_the_column_the_photos_know(tmp_path):
    table = TABLE.with_columns(id=pl.Series([f"row-{i}" for i in range(30)]))
    table.write_csv(tmp_path / "c.csv")
    pl.DataFrame({"ref": ["7"], "photo": [b"x"]}).write_parquet(tmp_path / "p.parquet")
    found = read_labelled(tmp_path / "c.csv", "kind", images=tmp_path / "p.parquet")
    assert found.ids[7] == "7"
    assert read_labelled(tmp_path / "c.csv", "kind").ids[7] == "row-7"


def test_repeated_ids_count_once_and_are_said(tmp_path):
    pl.concat([TABLE, TABLE[:2]]).rename({"ref": "id"}).write_csv(tmp_path / "c.csv")
    found = read_labelled(tmp_path / "c.csv", "kind")
    assert len(found.ids) == 30
    assert "2 rows repeat an id and are left out" in found.notes


def test_chinese_titles_are_text(tmp_path):
    table = pl.DataFrame(
        {"id": range(30), "标题": [f"不锈钢保温杯 {i} 升" for i in range(30)], "kind": ["杯"] * 30}
    )
    table.write_csv(tmp_path / "c.csv")
    assert read_labelled(tmp_path / "c.csv", "kind").text_columns == ["标题"]


def test_cells_of_json_lines(tmp_path):
    rows = [{"id": 1, "title": "a b c", "tags": ["x", "y"], "n": None}, {"id": 2, "extra": True}]
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    found = read_table(tmp_path / "c.jsonl")
    assert found.columns == ["id", "title", "tags", "n", "extra"]
    assert found.row(0) == ("1", "a b c", "x y", None, None)
    assert found.row(1) == ("2", None, None, None, "True")


@pytest.mark.parametrize("line", ["{", "[1]", '"text"'])
def test_broken_json_names_its_line(tmp_path, line):
    (tmp_path / "c.jsonl").write_text('{"id": 1}\n' + line)
    with pytest.raises(DataError, match="line 2"):
        read_table(tmp_path / "c.jsonl")


def test_what_can_be_wrong(tmp_path):
    file = tmp_path / "c.csv"
    TABLE.write_csv(file)
    with pytest.raises(ConfigError, match="no column 'colour'"):
        read_labelled(file, "colour")
    with pytest.raises(ConfigError, match=r"no column 'part' \(--split\)"):
        read_labelled(file, "kind", split="part")
    with pytest.raises(DataError, match="Column 'group' holds 'tops'"):
        read_labelled(file, "kind", split="group")
    TABLE.select("ref", "group", "kind").write_csv(tmp_path / "bare.csv")
    with pytest.raises(DataError, match="no column of text"):
        read_labelled(tmp_path / "bare.csv", "kind")
    TABLE.select("group", "product title").head(2).with_columns(group=pl.lit("x"), t=pl.lit("y")).write_csv(
        tmp_path / "noid.csv"
    )
    with pytest.raises(DataError, match="no column of ids"):
        read_labelled(tmp_path / "noid.csv", "product title")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no .jpg"):
        read_photos(tmp_path / "empty")
    pl.DataFrame({"id": ["1"], "url": ["http://x"]}).write_parquet(tmp_path / "urls.parquet")
    with pytest.raises(DataError, match="one of bytes"):
        read_photos(tmp_path / "urls.parquet")
    pl.DataFrame({"id": ["other"], "photo": [b"x"]}).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match="No id of"):
        read_labelled(file, "kind", images=tmp_path / "p.parquet")
