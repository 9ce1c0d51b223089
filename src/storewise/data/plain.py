"""Plain text files of behaviour: ``user item [rating [time]]`` lines, and ``user item item …`` lines.

Columns stand apart by tabs, commas, ``::`` or blanks; the file may be packed (.gz, .xz, .bz2); ids may be any
text. Nothing here knows one data set from another.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.data.sources.raw import read_bytes

CSV_HEADERS = ("user", "item", "rating", "time")


@dataclass(frozen=True)
class Ratings:
    """Rows in the order of the file: ``customers``, ``products`` (n,) int32 indices into the ids, ``values``
    (n,) float32 or None, ``at`` (n,) seconds or None."""

    customers: npt.NDArray[np.int32]
    products: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32] | None
    at: npt.NDArray[np.float64] | None
    customer_ids: Sequence[str]
    product_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.customers)

    def dataset(self, rows: npt.NDArray[np.bool_]) -> Dataset:
        """The rows of a mask as behaviour, every one positive, their ratings as ``values`` and weights."""
        chosen = np.flatnonzero(rows)
        when = np.zeros(len(chosen)) if self.at is None else self.at[chosen]
        # Sorted here as Interactions sorts (it is stable), so that the values stay beside their rows.
        chosen = chosen[np.lexsort((when, self.customers[chosen]))]
        behaviour = Interactions.build(
            self.customers[chosen],
            self.products[chosen],
            at=None if self.at is None else self.at[chosen],
            weight=None if self.values is None else self.values[chosen],
            n_customers=len(self.customer_ids),
            n_products=len(self.product_ids),
        )
        products = pl.DataFrame({"product_id": list(self.product_ids)})
        values = None if self.values is None else self.values[chosen]
        return Dataset(products, self.customer_ids, behaviour, values, watermark=behaviour.end)


def read_ratings(path: Path) -> Ratings:
    """Read a ratings file; a header line is recognised by a rating or time that is no number.

    Raises:
        DataError: fewer than two columns, a rating or time that is no number (with the line), an empty file.
    """
    text = _text(path)
    first = text.split("\n", 1)[0].rstrip("\r")
    separator = next((mark for mark in ("\t", "::", ",", ";", " ") if mark in first), None)
    if separator is None:
        raise DataError(
            f"{path} has 1 column ({first[:40]!r}), a ratings file needs at least user and item.",
            next_step="Write lines of user, item, rating, time with a tab or a comma between them.",
        )
    if separator == "::":
        text, separator = text.replace("::", "\t"), "\t"
    frame = _parse(path, text, separator)
    numbers = frame.columns[2:4]
    header = 1 if numbers and _is_not_number(frame.row(0)[2:4]) else 0
    if not numbers and {name.lower() for name in frame.row(0)[:1]} & {
        "user",
        "user_id",
        "userid",
        "customer",
    }:
        header = 1
    frame = frame.slice(header)
    values = [_numbers(path, frame[name], header) for name in numbers]
    customers, customer_ids = _encode(frame[:, 0])
    products, product_ids = _encode(frame[:, 1])
    return Ratings(
        customers,
        products,
        values[0].astype(np.float32) if values else None,
        values[1] if len(values) > 1 else None,
        customer_ids,
        product_ids,
    )


def _parse(path: Path, text: str, separator: str) -> pl.DataFrame:
    try:
        frame = pl.read_csv(
            io.StringIO(text), separator=separator, has_header=False, infer_schema=False, quote_char=None
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} is no table: {str(error).splitlines()[0]}.",
            next_step="Give every line the same number of columns.",
        ) from error
    missing = frame.select(pl.any_horizontal(pl.all().is_null())).to_series().arg_true()
    if len(missing):
        raise DataError(
            f"{path}, line {missing[0] + 1}: fewer columns than the {frame.width} of the others.",
            next_step="Complete or remove the line.",
        )
    return frame


def _is_not_number(cells: Sequence[str]) -> bool:
    return any(value is None for value in pl.Series(cells).cast(pl.Float64, strict=False))


def _numbers(path: Path, column: pl.Series, header: int) -> npt.NDArray[np.float64]:
    found = column.str.strip_chars().cast(pl.Float64, strict=False)
    wrong = (found.is_null() | ~found.is_finite()).arg_true()
    if len(wrong):
        raise DataError(
            f"{path}, line {wrong[0] + 1 + header}: {column[wrong[0]]!r} is not a number.",
            next_step="The columns are user, item, rating, time in seconds.",
        )
    return found.to_numpy()


def _encode(column: pl.Series) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Indices by first appearance, and the id of each index."""
    ids = column.unique(maintain_order=True).to_list()
    codes = column.replace_strict(ids, list(range(len(ids))), return_dtype=pl.Int32)
    return codes.to_numpy(), ids


def read_lines(path: Path) -> dict[str, list[str]]:
    """``user item item …`` lines: the items of each user in order; a user's lines are joined.

    Raises:
        DataError: an empty file, or no line with an item.
    """
    found: dict[str, list[str]] = {}
    for line in _text(path).splitlines():
        cells = line.split()
        if cells:
            found.setdefault(cells[0], []).extend(cells[1:])
    if not any(found.values()):
        raise DataError(
            f"{path} holds no line with a user and an item.",
            next_step="Write one line for each user: user item item …, with blanks between them.",
        )
    return found


def behaviour_of(
    lines: Mapping[str, Sequence[str]],
    *,
    customer_index: Mapping[str, int],
    product_index: Mapping[str, int],
    ordered: bool,
) -> Interactions:
    """Lines as interactions over given indices; ``ordered``: the items stand in time order."""
    sizes = [len(items) for items in lines.values()]
    who = np.repeat([customer_index[user] for user in lines], sizes).astype(np.int32)
    what = np.fromiter(
        (product_index[item] for items in lines.values() for item in items), np.int32, sum(sizes)
    )
    when = np.concatenate([np.arange(size) for size in sizes]) if sizes else np.empty(0)
    return Interactions.build(
        who,
        what,
        at=when if ordered else None,
        n_customers=len(customer_index),
        n_products=len(product_index),
    )


def index_of(*parts: Mapping[str, Sequence[str]]) -> tuple[dict[str, int], dict[str, int]]:
    """Customer and product indices over all parts, by first appearance."""
    customers: dict[str, int] = {}
    products: dict[str, int] = {}
    for part in parts:
        for user, items in part.items():
            customers.setdefault(user, len(customers))
            for item in items:
                products.setdefault(item, len(products))
    return customers, products


def _text(path: Path) -> str:
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8.",
            next_step="Save the file as UTF-8.",
        ) from error
