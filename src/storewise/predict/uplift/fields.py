"""Plain columns as :class:`~storewise.predict.base.Rows`, the same for training and for people seen later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from storewise.core.errors import DataError
from storewise.predict.base import MISSING, Rows

MOST_VALUES = 50  # of a text column that get a code of their own
LEAST_ROWS = 20  # of a value that gets one; rarer ones share the code of the unseen


@dataclass(frozen=True)
class Fields:
    """``numbers``: names of the columns of numbers; ``values``: text column → its values in code order, from 1.

    >>> frame = pl.DataFrame({"age": [30.0, None] * 20, "zone": ["a", "b"] * 20})
    >>> fields = Fields.of(frame)
    >>> rows = fields.rows(pl.DataFrame({"age": [1.0], "zone": ["new"]}))
    >>> rows.categories.tolist(), rows.sizes
    ([[0]], (3,))
    """

    numbers: tuple[str, ...]
    values: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Fields:
        """Learned from the columns' types and the values that occur often."""
        values: dict[str, tuple[str, ...]] = {}
        for column in frame.columns:
            if frame[column].dtype == pl.String:
                counts = (
                    frame[column].drop_nulls().value_counts().sort("count", column, descending=[True, False])
                )
                kept = counts.filter(pl.col("count") >= LEAST_ROWS).head(MOST_VALUES)
                values[column] = tuple(kept[column].to_list())
        return cls(tuple(c for c in frame.columns if c not in values), values)

    def rows(self, frame: pl.DataFrame) -> Rows:
        """Codes and numbers of a frame that has these columns.

        Raises:
            DataError: naming the first column that is not there.
        """
        for name in (*self.numbers, *self.values):
            if name not in frame.columns:
                raise DataError(
                    f"The column {name!r} is missing, which the model has learned from.",
                    next_step="Give the same columns as in training; empty cells are fine.",
                )
        n = frame.height
        numbers = [frame[c].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy() for c in self.numbers]
        codes = []
        for column, values in self.values.items():
            code = {value: i for i, value in enumerate(values, 1)}
            cells = frame[column].cast(pl.String).to_list()
            codes.append([MISSING if cell is None else code.get(cell, 0) for cell in cells])
        return Rows.of(
            numbers=np.array(numbers, np.float32).T.reshape(n, len(numbers)),
            categories=np.array(codes, np.int32).T.reshape(n, len(codes)),
            number_names=self.numbers,
            category_names=tuple(self.values),
            sizes=tuple(len(values) + 1 for values in self.values.values()),
        )
