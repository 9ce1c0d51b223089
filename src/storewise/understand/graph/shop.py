"""What the inferred relations are read from: a shop's baskets, visits, prices, categories and content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.understand.graph.config import GraphConfig
from storewise.understand.graph.content import Content
from storewise.understand.graph.pairs import Visits, visits

BUYING = ("purchase", "rating")
LOOKING = ("view", "click")


@dataclass(frozen=True)
class Shop:
    """``bought``: baskets; ``viewed``: visits that looked at products; ``owned`` (n_products, n_customers):
    who bought what at all; ``prices`` (n_products,) minor units, -1 unknown; ``categories`` (n_products,) codes,
    -1 unknown."""

    bought: Visits
    viewed: Visits
    owned: sparse.csr_matrix
    prices: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int32]
    content: Content

    @classmethod
    def of(
        cls, dataset: Dataset, config: GraphConfig, vectors: npt.NDArray[np.float32] | None = None
    ) -> Shop:
        """From a dataset. Where only views count as behaviour there are no baskets."""
        behaviour = dataset.interactions if _buys(dataset) else _none(dataset)
        products = dataset.products
        titles = products["title"].to_list() if "title" in products.columns else [None] * dataset.n_products
        return cls(
            visits(behaviour, config.gap_s, config.max_lines, config.period_days),
            visits(_views(dataset), config.gap_s, config.max_lines, config.period_days),
            behaviour.matrix.T.tocsr(),
            _prices(products),
            _codes(products),
            Content.of_titles(titles) if vectors is None else Content.of_vectors(vectors),
        )

    @cached_property
    def groups(self) -> npt.NDArray[np.int32]:
        """Whom a product may replace: those of its category; in a shop without categories, anything."""
        known = bool((self.categories >= 0).any())
        return self.categories if known else np.zeros(len(self.categories), np.int32)


def _buys(dataset: Dataset) -> bool:
    if "events" not in dataset.extra:
        return True
    kinds = dataset.extra["events"]["kind"].cast(pl.String).unique().to_list()
    return any(kind in kinds for kind in BUYING) or not kinds


def _none(dataset: Dataset) -> Interactions:
    return Interactions.build([], [], n_customers=dataset.n_customers, n_products=dataset.n_products)


def _views(dataset: Dataset) -> Interactions:
    if "events" not in dataset.extra:
        return _none(dataset)
    events = dataset.extra["events"]
    seen = events.filter(pl.col("kind").cast(pl.String).is_in(LOOKING) & (pl.col("customer") >= 0))
    return Interactions.build(
        seen["customer"].to_numpy(), seen["product"].to_numpy(), at=seen["at"].to_numpy(),
        n_customers=dataset.n_customers, n_products=dataset.n_products,
    )  # fmt: skip


def _prices(products: pl.DataFrame) -> npt.NDArray[np.int64]:
    if "price_minor" not in products.columns:
        return np.full(products.height, -1, np.int64)
    return products["price_minor"].fill_null(-1).to_numpy().astype(np.int64)


def _codes(products: pl.DataFrame) -> npt.NDArray[np.int32]:
    if "category" not in products.columns:
        return np.full(products.height, -1, np.int32)
    names = sorted(set(products["category"].drop_nulls().to_list()))
    code = {name: i for i, name in enumerate(names)}
    return np.array([code.get(name, -1) for name in products["category"].to_list()], np.int32)
