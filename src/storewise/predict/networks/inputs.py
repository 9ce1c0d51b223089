"""What networks read of rows: standardised numbers with marks of what is missing, rows of embedding tables.

A number x becomes ``(g(x) − mean) / deviation``, within ±8, with ``g(x) = sign(x)·ln(1 + |x|)`` for columns whose
skewness in training is above 2 and ``g(x) = x`` for the others; a missing one is 0 (the mean) and sets its mark.
A category's code c is row c + 1 of its table: row 0 is missing, row 1 unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.core.errors import DataError
from storewise.predict.base import MISSING, Rows

MOST = 8.0
SKEWED = 2.0
MISSING_ROW, UNSEEN_ROW, FIRST_ROW = 0, 1, 2
MIX = np.uint64(2654435761)  # Knuth's multiplicative hash

Table = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Inputs:
    """``dense`` (n, p + m) float32: numbers, then marks. ``rows``: category → (n,) rows of its table.
    ``vectors``: name → (n, d). ``histories``: name → (n, length) rows of the table of the same name."""

    dense: Any
    rows: Mapping[str, Any]
    vectors: Mapping[str, Any]
    histories: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.dense)

    def part(self, index: Any) -> Inputs:
        """The rows of an index array."""
        return Inputs(
            self.dense[index],
            {name: rows[index] for name, rows in self.rows.items()},
            {name: block[index] for name, block in self.vectors.items()},
            {name: rows[index] for name, rows in self.histories.items()},
        )

    def to_torch(self, torch: Any, device: str) -> Inputs:
        """The same as tensors on a device."""

        def moved(block: Any) -> Any:
            return torch.from_numpy(np.ascontiguousarray(block)).to(device)

        return Inputs(
            moved(self.dense),
            {name: moved(rows) for name, rows in self.rows.items()},
            {name: moved(block) for name, block in self.vectors.items()},
            {name: moved(rows) for name, rows in self.histories.items()},
        )


@dataclass(frozen=True)
class Reading:
    """How rows are read, learned from the training rows. ``tables``: category → rows of its table; ``histories``:
    name → length; older events are left out."""

    number_names: tuple[str, ...]
    tables: Mapping[str, int]
    sizes: Mapping[str, int]
    vectors: Mapping[str, int]
    histories: Mapping[str, int]
    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    logarithmic: npt.NDArray[np.bool_]
    marked: npt.NDArray[np.bool_]

    @classmethod
    def learn(cls, rows: Rows, *, most_rows: int = 0) -> Reading:
        """From training rows. A table of more than ``most_rows`` rows is shared by hashing (0: never).

        Raises:
            DataError: when a sequence has no category of its name.
        """
        if alone := [name for name in rows.sequences if name not in rows.category_names]:
            raise DataError(
                f"The sequence {alone[0]!r} has no category of that name.",
                next_step=f"Categories are {', '.join(rows.category_names) or 'none'}: add the column.",
            )
        numbers = _finite(rows.numbers)
        logarithmic = np.array([_skewness(column) > SKEWED for column in numbers.T], bool)
        numbers = _squashed(numbers, logarithmic)
        there = np.isfinite(numbers)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, numbers, 0).sum(axis=0) / count
        spread = np.sqrt((np.where(there, numbers - mean, 0) ** 2).sum(axis=0) / count)
        sizes = dict(zip(rows.category_names, rows.sizes, strict=True))
        tables = {name: min(size + 1, most_rows) if most_rows else size + 1 for name, size in sizes.items()}
        return cls(
            rows.number_names, {name: max(size, FIRST_ROW + 1) for name, size in tables.items()}, sizes,
            {name: block.shape[1] for name, block in rows.vectors.items()},
            {name: block.shape[1] for name, block in rows.sequences.items() if block.shape[1]},
            mean.astype(np.float32), np.where(spread > 1e-9, spread, 1).astype(np.float32), logarithmic,
            np.asarray(~there.all(axis=0) & there.any(axis=0)),
        )  # fmt: skip

    @property
    def dense_names(self) -> tuple[str, ...]:
        """Columns of :attr:`Inputs.dense`: a mark bears the name of its number."""
        marks = [name for name, marked in zip(self.number_names, self.marked, strict=True) if marked]
        return (*self.number_names, *marks)

    def read(self, rows: Rows) -> Inputs:
        """Of any rows of the same columns.

        Raises:
            DataError: when columns differ from those of training.
        """
        self._check(rows)
        numbers = _squashed(_finite(rows.numbers), self.logarithmic)
        missing = ~np.isfinite(numbers)
        standard = np.clip((numbers - self.mean) / self.deviation, -MOST, MOST)
        dense = np.concatenate([np.where(missing, 0, standard), missing[:, self.marked]], axis=1)
        codes = dict(zip(rows.category_names, rows.categories.T, strict=True))
        return Inputs(
            dense.astype(np.float32),
            {name: self._rows(name, code) for name, code in codes.items()},
            {name: np.nan_to_num(rows.vectors[name].astype(np.float32)) for name in self.vectors},
            {
                name: self._rows(name, _latest(rows.sequences[name], most))
                for name, most in self.histories.items()
            },
        )

    def _rows(self, name: str, codes: npt.NDArray[np.int32]) -> Table:
        size, table = self.sizes[name], self.tables[name]
        known = np.where(codes >= size, 0, codes).astype(np.int64)
        if size + 1 <= table:
            return known + 1
        mixed = (known.astype(np.uint64) * MIX & np.uint64(0xFFFFFFFF)) % np.uint64(table - FIRST_ROW)
        return np.where(known > 0, FIRST_ROW + mixed.astype(np.int64), known + 1)

    def _check(self, rows: Rows) -> None:
        given = (rows.number_names, rows.category_names, set(self.vectors) <= set(rows.vectors))
        wanted = (self.number_names, tuple(self.sizes), True)
        if given != wanted or not set(self.histories) <= set(rows.sequences):
            raise DataError(
                f"These rows have the columns {', '.join((*rows.number_names, *rows.category_names))}; the model was "
                f"trained on {', '.join((*self.number_names, *self.sizes, *self.vectors, *self.histories))}.",
                next_step="Make the rows with the fields of the model.",
            )

    def state(self) -> Arrays:
        """Plain arrays."""
        return {
            "number_names": _text(self.number_names), "mean": self.mean, "deviation": self.deviation,
            "logarithmic": self.logarithmic, "marked": self.marked, "category_names": _text(tuple(self.sizes)),
            "sizes": np.array(list(self.sizes.values()), np.int64),
            "tables": np.array(list(self.tables.values()), np.int64), "vector_names": _text(tuple(self.vectors)),
            "widths": np.array(list(self.vectors.values()), np.int64), "history_names": _text(tuple(self.histories)),
            "lengths": np.array(list(self.histories.values()), np.int64),
        }  # fmt: skip

    @classmethod
    def of_state(cls, state: Arrays) -> Reading:
        """What :meth:`state` took apart."""
        names = tuple(state["category_names"].tolist())
        return cls(
            tuple(state["number_names"].tolist()), dict(zip(names, state["tables"].tolist(), strict=True)),
            dict(zip(names, state["sizes"].tolist(), strict=True)),
            dict(zip(state["vector_names"].tolist(), state["widths"].tolist(), strict=True)),
            dict(zip(state["history_names"].tolist(), state["lengths"].tolist(), strict=True)), state["mean"], state["deviation"], state["logarithmic"],
            state["marked"],
        )  # fmt: skip


def _latest(codes: npt.NDArray[np.int32], most: int) -> npt.NDArray[np.int32]:
    """The latest ``most`` of each sequence, filled up on the left."""
    kept = codes[:, -most:]
    return np.pad(kept, ((0, 0), (most - kept.shape[1], 0)), constant_values=MISSING)


def _text(names: tuple[str, ...]) -> npt.NDArray[np.str_]:
    return np.array(names, dtype=np.str_) if names else np.zeros(0, "<U1")


def _finite(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    found = numbers.astype(np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def _squashed(
    numbers: npt.NDArray[np.float64], logarithmic: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    return np.where(logarithmic, np.sign(numbers) * np.log1p(np.abs(numbers)), numbers)


def _skewness(column: npt.NDArray[np.float64]) -> float:
    values = column[np.isfinite(column)]
    if len(values) < 3 or (spread := float(values.std())) < 1e-12:
        return 0.0
    return abs(float((((values - values.mean()) / spread) ** 3).mean()))
