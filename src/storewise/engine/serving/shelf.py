"""What rerankers, the objective and hard rules ask of today's catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.engine.serving.catalogue import Catalogue
from storewise.recommend.rank.objective import margins


@dataclass(frozen=True)
class Shelf:
    """``margins_minor`` (n_products,): price less unit cost where that is known, else the price, NaN without one.
    ``vectors`` (n_products, d) or None."""

    catalogue: Catalogue
    margins_minor: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float32] | None

    @classmethod
    def of(
        cls, catalogue: Catalogue, stock: pl.DataFrame | None, vectors: npt.NDArray[np.float32] | None
    ) -> Shelf:
        """``stock``: product_id and unit_cost_minor of the newest row of each product."""
        cost = np.full(len(catalogue), np.nan)
        if stock is not None and "unit_cost_minor" in stock.columns:
            told = stock.drop_nulls("unit_cost_minor")
            index = catalogue.index
            for name, value in zip(told["product_id"], told["unit_cost_minor"], strict=True):
                if (place := index.get(name)) is not None:
                    cost[place] = value
        return cls(catalogue, margins(catalogue.prices, cost), vectors)

    @property
    def category_codes(self) -> npt.NDArray[np.int32]:
        return self.catalogue.category_codes

    @property
    def category_names(self) -> list[str]:
        return self.catalogue.category_names

    @property
    def attribute_index(self) -> Mapping[tuple[str, str], npt.NDArray[np.int32]]:
        return self.catalogue.attribute_index
