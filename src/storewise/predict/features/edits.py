"""How products stood before their rows in the catalogue were replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Edits:
    """k replaced rows: ``products`` (indices), ``until`` (seconds) they stood, ``categories`` (codes) they had, and the
    vectors of their ``text`` (k, d), None where nothing read them; the latest ``until`` first."""

    products: Ints
    until: npt.NDArray[np.float64]
    categories: Ints
    text: Vectors | None = None

    @classmethod
    def of(
        cls,
        products: pl.DataFrame,
        past: pl.DataFrame,
        places: Mapping[str, int],
        text: Vectors | None = None,
    ) -> Edits:
        """``past``: the columns of products with ``until``, ``text`` its vectors. ``places``: category → code; names
        that today's catalogue does not have get codes behind them."""
        index = {name: place for place, name in enumerate(products["product_id"].to_list())}
        codes = dict(places)
        numbered = past.with_row_index("row").sort("until", descending=True, maintain_order=True)
        rows = [
            (
                index[row["product_id"]], row["until"].timestamp(),
                -1 if row["category"] is None else codes.setdefault(row["category"], len(codes)), row["row"],
            )
            for row in numbered.iter_rows(named=True)
            if row["product_id"] in index
        ]  # fmt: skip
        columns = np.array(rows, np.float64).reshape(-1, 4)
        product, category, row = (columns[:, place].astype(np.int64) for place in (0, 2, 3))
        return cls(product, columns[:, 1], category, None if text is None else text[row])

    def at(self, moment: float) -> Ints:
        """The rows that stood at a moment, one a product. What the shop said first stands for the time before it said
        anything."""
        found: dict[int, int] = {}
        for row in np.flatnonzero(self.until >= moment):  # of the later ends the earliest comes last
            found[int(self.products[row])] = int(row)
        return np.array(sorted(found.values()), np.int64)
