"""Reading a table file as it is: text cells and line numbers, with errors that say what is wrong."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from pathlib import Path

import polars as pl

from storewise.core.errors import DataError

_OPENERS = {".gz": gzip.decompress, ".xz": lzma.decompress, ".bz2": bz2.decompress}
_PARQUET_MAGIC = b"PAR1"
_OTHER_LINE = "line (of the file)"  # a file may have a column of the name that the line numbers take
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked when its name ends in .gz, .xz or .bz2.

    Raises:
        DataError: no such file, a directory, not readable, empty, or a damaged archive.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a directory, not a file.", next_step="Name one file inside it.")
    if not path.exists():
        raise DataError(f"There is no file {path}.", next_step="Check the path and the spelling.")
    try:
        content = path.read_bytes()
        unpack = _OPENERS.get(path.suffix.lower())
        if unpack and content:
            content = unpack(content)
    except PermissionError as error:
        raise DataError(f"{path} may not be read.", next_step="Give this user read permission.") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DataError(
            f"{path} is no intact {path.suffix} archive ({error}).", next_step="Export or download it again."
        ) from error
    if not content:
        raise DataError(f"{path} is empty (0 bytes).", next_step="Export or download it again.")
    return content


def read_raw(path: Path) -> pl.DataFrame:
    """A CSV or Parquet file with a first column ``line``: its 1-based line (Parquet: row) number.

    CSV cells are text, an empty cell is null, and so are the cells that a short row lacks; blank lines are
    skipped. Parquet columns keep their types. TSV is read by its suffix.

    Raises:
        DataError: see :func:`read_bytes`; also broken encoding, no header, a row with more cells than the
            header (with its line), quotes that never close, a damaged Parquet, an unknown kind of file.
    """
    path = Path(path)
    content = read_bytes(path)
    kind = path.with_suffix("").suffix if path.suffix.lower() in _OPENERS else path.suffix
    kind = kind.lower()
    if kind in (".parquet", ".pq"):
        return _parquet(content, path)
    if kind in (".csv", ".tsv", ".txt"):
        return _delimited(content, path, separator="\t" if kind == ".tsv" else ",")
    raise DataError(
        f"{path} ends in {path.suffix or 'nothing'}, which is no kind of table known here.",
        next_step=f"Use one of {', '.join(_SUFFIXES)}, packed or not.",
    )


def _parquet(content: bytes, path: Path) -> pl.DataFrame:
    if not (content.startswith(_PARQUET_MAGIC) and content.endswith(_PARQUET_MAGIC)):
        raise DataError(
            f"{path} is not a Parquet file (its first and last bytes are not PAR1).",
            next_step="Write it again; a broken download or an interrupted writer leaves such files.",
        )
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path} is a damaged Parquet file ({error}).", next_step="Write or download it again."
        ) from error
    return _numbered(frame, path, first=1)


def _delimited(content: bytes, path: Path, separator: str) -> pl.DataFrame:
    _assert_utf8(content, path)
    body = content.strip(b"\r\n")
    odd_lines = b"\n\n" in body or b"\n\r\n" in body or body != content.rstrip(b"\r\n") or b"\n" not in body
    if odd_lines:
        return _line_by_line(content, path, separator)
    _header(next(csv.reader([body.split(b"\n", 1)[0].decode("utf-8-sig")], delimiter=separator)), path)
    try:
        frame = pl.read_csv(io.BytesIO(content), infer_schema=False, separator=separator)
    except pl.exceptions.PolarsError:
        return _line_by_line(content, path, separator)
    if body.count(b"\n") != frame.height:  # line breaks inside quotes shift the numbering
        return _line_by_line(content, path, separator)
    return _numbered(frame, path, first=2)


def _numbered(frame: pl.DataFrame, path: Path, first: int) -> pl.DataFrame:
    if "line" in frame.columns:
        frame = frame.rename({"line": _OTHER_LINE})
    if not frame.width:
        raise DataError(f"{path} has no columns.", next_step="Write a header line with the column names.")
    return frame.with_row_index("line", offset=first).with_columns(pl.col("line").cast(pl.Int64))


def _assert_utf8(content: bytes, path: Path) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8.",
            next_step="Save the file as UTF-8 (from Latin-1: iconv -f latin1 -t utf-8).",
        ) from error


def _line_by_line(content: bytes, path: Path, separator: str) -> pl.DataFrame:
    """The slow way, which knows the true line of every row."""
    reader = csv.reader(
        io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator, strict=True
    )
    header: list[str] = []
    rows: list[list[str | int | None]] = []
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not cells or cells == [""]:
                continue
            if not header:
                header = _header(cells, path)
                continue
            if len(cells) > len(header):
                raise DataError(
                    f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}.",
                    next_step="Put quotes around cells that contain the separator.",
                )
            rows.append([line, *(cell or None for cell in cells), *[None] * (len(header) - len(cells))])
    except csv.Error as error:
        raise DataError(
            f"{path}, line {start}: {error}.", next_step="Close the quotes of that line."
        ) from error
    if not header:
        raise DataError(f"{path} has no header line.", next_step="Write one with the column names.")
    return pl.DataFrame(rows, schema={"line": pl.Int64, **dict.fromkeys(header, pl.String)}, orient="row")


def _header(cells: list[str], path: Path) -> list[str]:
    if len(set(cells)) != len(cells):
        raise DataError(
            f"{path}: a column name occurs twice in {cells}.", next_step="Give every column its own name."
        )
    return [_OTHER_LINE if name == "line" else name for name in cells]
