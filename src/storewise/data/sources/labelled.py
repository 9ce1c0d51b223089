"""Any catalogue with a column to predict, and photos that belong to it: ids and texts are found by what is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from storewise.core.errors import ConfigError, DataError
from storewise.data.sources.raw import read_bytes, read_raw

JSON_LINES = (".jsonl", ".ndjson")
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
TITLE_LIKE = ("title", "name", "description", "summary", "text", "bullet", "标题", "名称", "描述", "商品名")
ID_LIKE = ("product_id", "item_id", "id", "sku", "asin", "gtin", "编号")
LEAST_WORDS = 2.0  # a column of single words is a category, not a text
LEAST_DISTINCT = 0.2  # of the rows; a category repeats itself more often
PARTS: Mapping[str, str] = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
}  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """Products in the order of the file. ``texts``: of the columns ``text_columns``. ``photos``: bytes or None
    (None as a whole: no photos were given). ``labels``: None where the cell is empty. ``parts``: train,
    validation or test as the file says, or None. ``notes``: what was left out or assumed."""

    ids: Sequence[str]
    texts: Sequence[str]
    text_columns: Sequence[str]
    photos: Sequence[bytes | None] | None
    labels: Sequence[str | None]
    parts: Sequence[str | None] | None
    notes: Sequence[str]


def read_labelled(
    catalogue: Path, label: str, *, images: Path | None = None, split: str | None = None
) -> Labelled:
    """Read CSV, TSV, Parquet or JSON lines (packed or not); ``images``: Parquet of id and bytes, or a folder of
    files named by id.

    The id column is the one without repetition whose values the photos carry (without photos: an id-like name,
    or the first without repetition). Texts are the columns named like a title, name or description that hold
    several words and differ between products: other categories, which may determine the label, stay out.

    Raises:
        ConfigError: for a column that does not exist.
        DataError: for files that cannot be read, and where no id or no text is found.
    """
    table = read_table(catalogue)
    for option, column in (("--label", label), ("--split", split)):
        if column is not None and column not in table.columns:
            known = ", ".join(table.columns)
            raise ConfigError(
                f"{catalogue} has no column {column!r} ({option}).", next_step=f"It has: {known}."
            )
    photos = None if images is None else read_photos(images)
    id_column = _id_column(table, photos, catalogue, label)
    notes = []
    once = table.unique(subset=[id_column], keep="first", maintain_order=True)
    if once.height < table.height:
        notes.append(f"{table.height - once.height:,} rows repeat an id and are left out")
    taken = {id_column, label, *([split] if split else [])}
    texts = text_columns(once, label, taken)
    if not texts and photos is None:
        raise DataError(
            f"{catalogue} has no column of text (named like {', '.join(TITLE_LIKE[:4])}, several words a cell).",
            next_step="Rename the column of titles to title, or give --images.",
        )
    notes.append(f"text from {', '.join(texts)}" if texts else "no text column")
    ids = once[id_column].to_list()
    return Labelled(
        ids,
        [" ".join(cell for cell in row if cell) for row in once.select(texts).iter_rows()]
        if texts else [""] * len(ids),
        texts,
        None if photos is None else [photos.get(one) for one in ids],
        [None if cell is None or not cell.strip() else cell.strip() for cell in once[label]],
        None if split is None else _parts(once[split], split),
        notes,
    )  # fmt: skip


def read_table(path: Path) -> pl.DataFrame:
    """A catalogue with all cells as text (null where empty).

    Raises:
        DataError: as :func:`~storewise.data.sources.raw.read_raw`, and for broken JSON lines, with the line.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    if any(suffix in JSON_LINES for suffix in suffixes):
        return _json_lines(path)
    table = read_raw(path).drop("line")
    plain = [
        c
        for c, kind in table.schema.items()
        if kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Categorical, pl.Date)
    ]
    return table.select(pl.col(plain).cast(pl.String))


def _json_lines(path: Path) -> pl.DataFrame:
    rows = []
    for number, line in enumerate(read_bytes(path).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            if not isinstance(found, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: not a JSON object ({error}).", next_step="Write one object a line."
            ) from error
        rows.append({key: _cell(value) for key, value in found.items()})
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not columns:
        raise DataError(f"{path} holds no products.", next_step="Write one JSON object a line.")
    return pl.DataFrame(
        [[row.get(c) for c in columns] for row in rows],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    )


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return str(value)


def read_photos(path: Path) -> dict[str, bytes]:
    """Id → bytes, from a Parquet with a column of bytes, or a folder of .jpg, .png and .webp files named by id.

    Raises:
        DataError: when there is no column of bytes, or no photo in the folder.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PHOTOS)
        if not files:
            raise DataError(f"{path} holds no {', '.join(PHOTOS)} file.", next_step="Check --images.")
        return {file.stem: file.read_bytes() for file in files}
    table = read_raw(path).drop("line")
    found = [column for column, kind in table.schema.items() if kind == pl.Binary]
    others = [column for column, kind in table.schema.items() if kind.is_integer() or kind == pl.String]
    if not found or not others:
        raise DataError(
            f"{path} needs a column of ids and one of bytes; it has {dict(table.schema)}.",
            next_step="Write a Parquet of id and the photo's bytes, or give a folder of files named by id.",
        )
    named = [c for c in others if c.lower() in ID_LIKE] or others
    ids = table[named[0]].cast(pl.String).to_list()
    return {
        one: data
        for one, data in zip(ids, table[found[0]].to_list(), strict=True)
        if one is not None and data
    }


def _id_column(table: pl.DataFrame, photos: Mapping[str, bytes] | None, path: Path, label: str) -> str:
    single = [
        c
        for c in table.columns
        if c != label and table[c].null_count() == 0 and table[c].n_unique() == table.height
    ]
    named = [c for c in table.columns if c.lower() in ID_LIKE]
    if photos is not None:
        shares = {
            c: sum(cell in photos for cell in table[c].to_list()) for c in dict.fromkeys([*single, *named])
        }
        best = max(shares, key=lambda c: shares[c], default=None)
        if best is None or not shares[best]:
            raise DataError(
                f"No id of {path} is the id of a photo.",
                next_step="Name photos by the catalogue's product ids.",
            )
        return best
    found = [c for c in named if c in single] or named or single
    if not found:
        raise DataError(
            f"{path} has no column of ids.", next_step="Add one named product_id, without repetition."
        )
    return found[0]


def text_columns(table: pl.DataFrame, label: str, taken: set[str]) -> list[str]:
    """Columns that describe a product in words, not those that classify it."""
    found = []
    for column in table.columns:
        cells = table[column].drop_nulls()
        if column in taken or not len(cells) or not any(part in column.lower() for part in TITLE_LIKE):
            continue
        words = cells.head(2000).map_elements(_words, return_dtype=pl.Int64).mean()
        distinct = cells.n_unique() / len(cells)
        if float(str(words)) >= LEAST_WORDS and distinct >= LEAST_DISTINCT:
            found.append(column)
    return found


def _words(cell: str) -> int:
    """Words; two signs of Chinese, Japanese or Korean count as one."""
    wide = len(re.findall(r"[\u2e80-\u9fff\uac00-\ud7af]", cell))
    return len(re.findall(r"[^\W\u2e80-\u9fff\uac00-\ud7af]+", cell)) + wide // 2


def _parts(cells: pl.Series, column: str) -> list[str | None]:
    found: list[str | None] = []
    for cell in cells.to_list():
        name = None if cell is None else PARTS.get(cell.strip().lower())
        if cell is not None and cell.strip() and name is None:
            raise DataError(
                f"Column {column!r} holds {cell!r}.",
                next_step=f"Write one of {', '.join(PARTS)}, or leave it empty.",
            )
        found.append(name)
    return found
