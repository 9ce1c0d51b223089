"""What a policy that reads features sees of each product that could stand at an explored place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Histories
from storewise.engine.serving.catalogue import Catalogue
from storewise.understand.base import Vectors

Floats = npt.NDArray[np.float64]

NAMES = ("log_odds", "place", "price", "price_gap", "category_share", "bought", "likeness", "known")
RECENT = 10  # products of the history that likeness is measured to
ODDS = 5.0  # log-odds are divided by it: all features have about one size
FULL = 100.0  # products of a history that is as well known as any


@dataclass(frozen=True)
class Arms:
    """``log_price`` (n_products,) about the catalogue's median, NaN unknown; ``category`` (n_products,) codes, -1 for
    none; ``vectors`` (n_products, d) unit vectors of the products' content, None without any.

    All features lie in about [-1, 1], so that one ridge suits them all, and what is not known is 0:
    ``log_odds`` of the prior mean / 5; ``place`` 1 / place among the candidates; ``price`` tanh of the log price
    about the catalogue's median, ``price_gap`` about the mean of the shopper's own products; ``category_share`` of
    the shopper's products; ``bought``: the product is among them; ``likeness``: cosine with the mean of the last 10;
    ``known`` log(1 + products) / log(101), at most 1.

    >>> import polars as pl
    >>> shop = Catalogue.of(pl.DataFrame({"product_id": ["a", "b"], "category": ["lamps", "cups"]}))
    >>> past = Histories.single([0], n_products=2)
    >>> found = Arms.of(shop)(np.array([0, 1]), np.array([0.5, 0.5]), past)
    >>> found[:, NAMES.index("category_share")].tolist(), found[:, NAMES.index("bought")].tolist()
    ([1.0, 0.0], [1.0, 0.0])
    """

    log_price: Floats
    category: npt.NDArray[np.int32]
    vectors: Vectors | None = None

    @classmethod
    def of(cls, catalogue: Catalogue, vectors: Vectors | None = None) -> Arms:
        """As the catalogue stands now."""
        prices = catalogue.prices.astype(np.float64)
        known = prices > 0
        logs = np.full(len(prices), np.nan)
        logs[known] = np.log(prices[known])
        if known.any():
            logs -= np.median(logs[known])
        return cls(logs, catalogue.category_codes, vectors)

    def __call__(self, products: npt.NDArray[np.int64], values: Floats, history: Histories | None) -> Floats:
        """(m, len(NAMES)) of the candidates ``products`` (m,), best first, whose prior means are ``values`` (m,)."""
        m = len(products)
        past = np.empty(0, np.int64) if history is None else np.asarray(history.products, np.int64)
        chances = np.clip(values, 1e-6, 1.0 - 1e-6)
        columns = (
            np.log(chances / (1.0 - chances)) / ODDS,
            1.0 / (1.0 + np.arange(m)),
            np.tanh(np.nan_to_num(self.log_price[products])),
            self._price_gap(products, past),
            self._category_share(products, past),
            np.isin(products, past).astype(np.float64),
            self._likeness(products, past),
            np.full(m, min(np.log1p(len(past)) / np.log1p(FULL), 1.0)),
        )
        return np.stack(columns, axis=1)

    def _price_gap(self, products: npt.NDArray[np.int64], past: npt.NDArray[np.int64]) -> Floats:
        paid = self.log_price[past]
        paid = paid[~np.isnan(paid)]
        if not len(paid):
            return np.zeros(len(products))
        return np.asarray(np.tanh(np.nan_to_num(self.log_price[products] - paid.mean())))

    def _category_share(self, products: npt.NDArray[np.int64], past: npt.NDArray[np.int64]) -> Floats:
        mine, theirs = self.category[past], self.category[products]
        if not len(mine):
            return np.zeros(len(products))
        same = (theirs[:, None] == mine[None, :]) & (theirs[:, None] >= 0)
        return np.asarray(same.mean(axis=1))

    def _likeness(self, products: npt.NDArray[np.int64], past: npt.NDArray[np.int64]) -> Floats:
        if self.vectors is None or not len(past):
            return np.zeros(len(products))
        taste = self.vectors[past[-RECENT:]].mean(axis=0, dtype=np.float64)
        size = float(np.linalg.norm(taste))
        if not size:
            return np.zeros(len(products))
        return np.asarray(self.vectors[products] @ (taste / size), np.float64)
