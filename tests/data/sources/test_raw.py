"""Files as they come: cells, line numbers, and an error for each way in which a file can be no table."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.sources.raw import read_bytes, read_raw


def write(folder: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x\n2,\n",
        "a,b\r\n1,x\r\n2,\r\n",
        "a,b\n1,x\n2,",
        '\ufeff"a",b\n1,"x"\n2,\n',
    ],
)
def test_cells_are_text_and_lines_are_numbered(tmp_path: Path, content: str) -> None:
    assert read_raw(write(tmp_path, content)).rows() == [(2, "1", "x"), (3, "2", None)]


def test_blank_lines_and_breaks_inside_quotes_keep_the_true_line(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, 'a,b\n\n1,"x\ny"\n2,z\n'))
    assert frame.rows() == [(3, "1", "x\ny"), (5, "2", "z")]


def test_a_short_row_lacks_its_last_cells(tmp_path: Path) -> None:
    assert read_raw(write(tmp_path, "a,b\n1\n2,z\n"))["b"].to_list() == [None, "z"]
    assert read_raw(write(tmp_path, "a,b\n\n1\n2,z\n"))["b"].to_list() == [None, "z"]


def test_tabs_by_suffix(tmp_path: Path) -> None:
    assert read_raw(write(tmp_path, "a\tb\n1\t2,5\n", "t.tsv"))["b"].to_list() == ["2,5"]


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]
)
def test_packed_files_are_unpacked(tmp_path: Path, suffix: str, pack: object) -> None:
    assert callable(pack)
    path = write(tmp_path, pack(b"a\n7\n"), f"t.csv{suffix}")
    assert read_raw(path).rows() == [(2, "7")]


def test_parquet_keeps_its_types_and_a_column_named_line(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"line": ["u"], "n": [1.5]}).write_parquet(path)
    frame = read_raw(path)
    assert frame.columns == ["line", "line (of the file)", "n"]
    assert frame.row(0) == (1, "u", 1.5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.parquet", b"", "is empty"),
        ("t.csv", b"\n\n", "has no header"),
        ("t.csv", b"a,b\n1,2\n3,caf\xe9\n", "line 3: byte 0xe9 is not UTF-8"),
        ("t.csv", b"\xff\xfea\x00", "line 1: byte 0xff is not UTF-8"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells, the header has 2"),
        ("t.csv", b'a,b\n1,"2\n3,4\n', "line 2: unexpected end of data"),
        ("t.csv", b"a,a\n\n1,2\n", "occurs twice"),
        ("t.csv", b"a,a\n1,2\n", "occurs twice"),
        ("t.parquet", b"a,b\n1,2\n", "is not a Parquet file"),
        ("t.parquet", b"PAR1garbagePAR1", "is a damaged Parquet file"),
        ("t.csv.gz", b"a,b\n1,2\n", "is no intact .gz archive"),
        ("t.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-9], "is no intact .gz archive"),
        ("t.xlsx", b"PK", "no kind of table"),
        ("t", b"a", "no kind of table"),
    ],
)
def test_a_file_that_is_no_table_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write(tmp_path, content, name)
    with pytest.raises(DataError) as caught:
        read_raw(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_directory_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a directory"):
        read_raw(tmp_path)
    with pytest.raises(DataError, match="There is no file"):
        read_bytes(tmp_path / "none.csv")
