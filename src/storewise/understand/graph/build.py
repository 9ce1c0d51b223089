"""From a shop to its graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError
from storewise.core.progress import Progress, Silent, step
from storewise.data.dataset import Dataset
from storewise.understand.graph.config import GraphConfig
from storewise.understand.graph.facts import fact_tables
from storewise.understand.graph.shop import Shop
from storewise.understand.graph.substitutes import substitutes
from storewise.understand.graph.tables import Graph
from storewise.understand.graph.together import (
    accessories,
    bought_with,
    complement_pairs,
    complements,
    pairs_together,
)


def build_graph(
    dataset: Dataset,
    *,
    attributes: pl.DataFrame | None = None,
    vectors: npt.NDArray[np.float32] | None = None,
    config: GraphConfig | None = None,
    progress: Progress | None = None,
) -> Graph:
    """The knowledge graph of a shop; the formulas are in docs/graph.md.

    ``attributes``: what was extracted from texts (see :func:`storewise.understand.graph.facts.fact_tables`).
    ``vectors`` (n_products, d): content of each product, zero rows for nothing; without them the words of
    the titles speak. The same shop gives the same graph.

    Raises:
        DataError: when the vectors are not one row for each product, or the attributes lack a column.

    >>> shop = Dataset.of([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], n_customers=3, n_products=2)
    >>> build_graph(shop).counts["bought_with"]
    0
    """
    config, watching = config or GraphConfig(), progress or Silent()
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != dataset.n_products):
        raise DataError(
            f"The vectors have shape {vectors.shape}, the shop has {dataset.n_products} products.",
            next_step="Give one row for each product, in the order of the dataset.",
        )
    with step(watching, "graph: facts and pairs"):
        nodes, facts = fact_tables(dataset.products, attributes, config.min_confidence)
        shop = Shop.of(dataset, config, vectors)
        pairs = pairs_together(shop, config)
        different = complement_pairs(shop, pairs, config)
    with step(watching, "graph: relations"):
        inferred = [
            bought_with(shop, pairs, config),
            substitutes(shop, config),
            complements(shop, different, config),
            accessories(shop, different, config),
        ]
    return Graph(nodes, pl.concat([facts, *inferred]))
