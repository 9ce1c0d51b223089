"""A catalogue whose columns tell attributes: which column holds which, and what each product's truth is.

Columns are found by their names (``understand.attributes.names``), so that any catalogue can be asked. A number
without a unit gets the unit in which it agrees most often with what titles of the training half say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl

from storewise.core.errors import DataError
from storewise.data.sources.raw import read_bytes, read_raw
from storewise.understand.attributes.calibrate import close
from storewise.understand.attributes.canonical import canonical
from storewise.understand.attributes.measure import measurements
from storewise.understand.attributes.names import known_name
from storewise.understand.attributes.number import parse, write
from storewise.understand.attributes.product import Product
from storewise.understand.attributes.units import Unit, table
from storewise.understand.attributes.value import MEASURES

TITLES = (
    "title",
    "product_title",
    "productdisplayname",
    "product_name",
    "productname",
    "name",
    "标题",
    "商品名称",
)
DESCRIPTIONS = ("description", "short_description", "summary", "描述", "商品描述")
LEAST_VALUES = 100
MOST_VALUES = 20_000
TOLD = re.compile(r"\s*[,;|/]\s*")


@dataclass(frozen=True)
class Truth:
    """One column: ``values[i]`` are the canonical values that it tells of product i (none: not told)."""

    name: str
    column: str
    raw: tuple[str | None, ...]
    values: tuple[frozenset[tuple[str, str | None]], ...]


@dataclass(frozen=True)
class Catalogue:
    """Texts, and the columns that tell attributes; the products' own ``given`` is empty."""

    products: tuple[Product, ...]
    columns: Mapping[str, tuple[str, tuple[str | None, ...]]]


def read_catalogue(path: Path) -> Catalogue:
    """A CSV, TSV, Parquet or JSON-lines file, packed or not.

    Raises:
        DataError: when it cannot be read, has no title, or no column that names an attribute.
    """
    frame = _frame(path)
    by_name = {name.lower(): name for name in frame.columns}
    title = next((by_name[n] for n in TITLES if n in by_name), None)
    if title is None:
        raise DataError(
            f"{path} has no column with titles.",
            next_step=f"Name it {TITLES[0]}; it has {frame.columns[:12]}.",
        )
    texts = next((by_name[n] for n in DESCRIPTIONS if n in by_name), None)
    rows = frame.filter(pl.col(title).is_not_null() & (pl.col(title) != ""))
    told = rows[texts].fill_null("").to_list() if texts else [""] * rows.height
    products = tuple(Product(t, d) for t, d in zip(rows[title].to_list(), told, strict=True))
    columns = _columns(rows, {title, texts or ""})
    if not columns:
        raise DataError(
            f"{path} has no column that names an attribute in {LEAST_VALUES} products or more.",
            next_step="Name columns brand, colour, material, gender, type, weight …: docs/attributes.md lists them.",
        )
    return Catalogue(products, columns)


def _frame(path: Path) -> pl.DataFrame:
    if ".jsonl" not in path.name and ".ndjson" not in path.name and not path.name.endswith(".json"):
        raw = read_raw(path).drop("line")
        return raw.select(pl.col(n).cast(pl.String) for n, kind in raw.schema.items() if not kind.is_nested())
    rows = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        try:
            row = orjson.loads(line) if line.strip() else None
        except orjson.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number} is not JSON.", next_step="Give one object a line."
            ) from error
        if isinstance(row, dict):
            rows.append({key: _cell(value) for key, value in row.items()})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String)
    )


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, bool | dict):
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _columns(rows: pl.DataFrame, texts: set[str]) -> dict[str, tuple[str, tuple[str | None, ...]]]:
    """Column → attribute and cells. Of several columns that name one word attribute the best qualified is taken."""
    found: dict[str, list[str]] = {}
    for column in rows.columns:
        name = known_name(column)
        filled = rows[column].drop_nulls()
        if (
            name
            and name not in MEASURES
            and all(parse(cell) is not None for cell in filled.head(LEAST_VALUES))
        ):
            continue  # numbers: not a colour, and not a size that is a name
        if (
            name
            and column not in texts
            and len(filled) >= LEAST_VALUES
            and 2 <= filled.n_unique() <= MOST_VALUES
        ):
            found.setdefault(name, []).append(column)
    chosen: dict[str, tuple[str, tuple[str | None, ...]]] = {}
    for name, columns in found.items():
        best = max(columns, key=lambda c: (len(re.findall(r"[A-Z]?[a-z]{2,}", c)), rows[c].count()))
        for column in columns if name in MEASURES else [best]:
            chosen[column] = (name, tuple(rows[column].to_list()))
    return chosen


def truths(catalogue: Catalogue, train: Sequence[int]) -> list[Truth]:
    """The truth of every column; what has to be learned for it (units) comes from the products ``train``."""
    found = []
    for column, (name, cells) in catalogue.columns.items():
        unit = (
            _unit(name, [(catalogue.products[i].title, cells[i]) for i in train])
            if name in MEASURES
            else None
        )
        values = tuple(frozenset(_told(name, cell, unit)) for cell in cells)
        if name not in MEASURES or unit is not None or any(u for told in values for _, u in told):
            found.append(Truth(name, column, cells, values))
    return found


def _told(name: str, cell: str | None, unit: Unit | None) -> list[tuple[str, str | None]]:
    if cell is None or not cell.strip() or cell.strip().lower() in ("na", "n/a", "none", "null", "-"):
        return []
    if name == "brand":
        return [canonical(name, cell)]
    value = parse(cell)
    if unit is not None and value is not None:
        return [(write(value * unit.factor), unit.canonical)]
    return [canonical(name, part) for part in TOLD.split(cell) if part.strip()]


def _unit(name: str, pairs: Sequence[tuple[str, str | None]]) -> Unit | None:
    """The unit that makes a column's bare numbers agree most often with what the titles measure."""
    votes: Counter[Unit] = Counter()
    units = sorted({u for u in table().values() if u.measure == name}, key=lambda u: u.factor)
    for title, cell in pairs:
        value = parse(cell) if cell else None
        if value is None:
            continue
        said = [m.value for m in measurements(title) if m.name == name]
        votes.update(u for u in units if any(close(write(value * u.factor), s) for s in said))
    return votes.most_common(1)[0][0] if votes else None
