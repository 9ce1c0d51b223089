"""The graph as two tables: nodes and edges, with integer ids; products come first, in the order of their index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
from scipy import sparse

from storewise.core.errors import DataError, UnknownName

KINDS = ("product", "brand", "category", "attribute")
FACTS = ("has_brand", "in_category", "has_attribute")
INFERRED = ("bought_with", "substitutes", "complements", "accessories_of")
RELATIONS = (*FACTS, *INFERRED)
SYMMETRIC = ("bought_with", "substitutes", "complements")
"""Stored once, with the smaller product as the source; they hold both ways."""

NODE_SCHEMA = {"kind": pl.String, "key": pl.String, "label": pl.String}
EDGE_SCHEMA = {
    "source": pl.Int32,
    "relation": pl.String,
    "target": pl.Int32,
    "weight": pl.Float32,
    "support": pl.Int32,
    "evidence": pl.String,
}


@dataclass(frozen=True)
class Graph:
    """A shop's products, brands, categories and attribute values, and how they hang together.

    ``nodes``: kind, key, label; the row is the node's id, and the first ``n_products`` rows are the products
    in the order of the dataset. ``edges``: source, relation, target, weight in (0, 1], support (how many
    baskets, shoppers or facts stand behind it), evidence (a JSON object with the counts).

    Raises:
        DataError: when an edge names a node that does not exist, or an unknown relation.

    >>> nodes = pl.DataFrame({"kind": ["product", "brand"], "key": ["a", "acme"], "label": ["Lamp", "Acme"]})
    >>> row = {"source": 0, "relation": "has_brand", "target": 1, "weight": 1.0, "support": 1, "evidence": "{}"}
    >>> Graph(nodes, pl.DataFrame([row], schema=EDGE_SCHEMA)).node("product", "a")
    0
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame

    def __post_init__(self) -> None:
        ends = np.concatenate([self.edges["source"].to_numpy(), self.edges["target"].to_numpy()])
        if len(ends) and (ends.min() < 0 or ends.max() >= self.nodes.height):
            raise DataError(
                f"An edge names node {int(ends.max())}, there are {self.nodes.height}.",
                next_step="Build the graph again.",
            )
        unknown = set(self.edges["relation"].unique().to_list()) - set(RELATIONS)
        if unknown:
            raise DataError(
                f"The edges hold the unknown relations {sorted(unknown)}.",
                next_step=f"Known are {', '.join(RELATIONS)}.",
            )

    def __len__(self) -> int:
        return self.edges.height

    @cached_property
    def n_products(self) -> int:
        return int((self.nodes["kind"] == "product").sum())

    @cached_property
    def index(self) -> dict[tuple[str, str], int]:
        """Node id of each (kind, key)."""
        pairs = zip(self.nodes["kind"].to_list(), self.nodes["key"].to_list(), strict=True)
        return {pair: i for i, pair in enumerate(pairs)}

    @cached_property
    def counts(self) -> dict[str, int]:
        """Edges of each relation, in the order of ``RELATIONS``; 0 where there are none."""
        found = dict(self.edges["relation"].value_counts().iter_rows())
        return {relation: int(found.get(relation, 0)) for relation in RELATIONS}

    def node(self, kind: str, key: str) -> int:
        """The id of a node.

        Raises:
            UnknownName: when there is none.
        """
        found = self.index.get((kind, key))
        if found is None:
            raise UnknownName(
                f"The graph has no {kind} {key!r}.", next_step="Check the id, or build it again."
            )
        return found

    def matrix(self, relation: str) -> sparse.csr_matrix:
        """(n_nodes, n_nodes) float32 of weights, source by target; symmetric relations both ways."""
        rows, columns, weight = self._ends(relation)
        shape = (self.nodes.height, self.nodes.height)
        found = sparse.csr_matrix((weight, (rows, columns)), shape=shape)
        return (found + found.T).tocsr() if relation in SYMMETRIC else found

    def partners(self, relation: str) -> sparse.csr_matrix:
        """(n_products, n_products) of a relation between products; see :meth:`matrix`."""
        return self._partners[relation]

    @cached_property
    def _partners(self) -> dict[str, sparse.csr_matrix]:
        n = self.n_products
        return {relation: self.matrix(relation)[:n, :n].tocsr() for relation in INFERRED}

    @cached_property
    def touching(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(n_nodes + 1,), (2 edges,): node i is an end of the edges order[start[i] : start[i + 1]]."""
        source, target = self.edges["source"].to_numpy(), self.edges["target"].to_numpy()
        ends = np.concatenate([source, target])
        order = np.argsort(ends, kind="stable")
        counts = np.bincount(ends, minlength=self.nodes.height)
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return start, order % max(len(source), 1)

    @cached_property
    def strongest(self) -> tuple[sparse.csr_matrix, dict[tuple[int, int], int]]:
        """(n_nodes, n_nodes) symmetric weights of the heaviest edge between two nodes, and the row of that edge
        by its ends, the smaller first."""
        ends = np.sort(np.stack([self.edges["source"].to_numpy(), self.edges["target"].to_numpy()]), axis=0)
        weight = self.edges["weight"].to_numpy()
        order = np.argsort(-weight, kind="stable")
        low, high = ends[:, order]
        _, first = np.unique(low.astype(np.int64) * self.nodes.height + high, return_index=True)
        low, high, chosen = low[first], high[first], order[first]
        shape = (self.nodes.height, self.nodes.height)
        half = sparse.csr_matrix((weight[chosen], (low, high)), shape=shape)
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        return (half + half.T).tocsr().sorted_indices(), dict(zip(pairs, chosen.tolist(), strict=True))

    def _ends(self, relation: str) -> tuple[Any, Any, Any]:
        part = self.edges.filter(pl.col("relation") == relation)
        return part["source"].to_numpy(), part["target"].to_numpy(), part["weight"].to_numpy()


def edge_frame(
    relation: str,
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike,
    support: npt.ArrayLike,
    evidence: Sequence[dict[str, Any]],
) -> pl.DataFrame:
    """Edges of one relation, the heaviest of each source first."""
    text = [orjson.dumps(one, option=orjson.OPT_SERIALIZE_NUMPY).decode() for one in evidence]
    columns = {
        "source": np.asarray(source, np.int32),
        "relation": pl.Series([relation] * len(text), dtype=pl.String),
        "target": np.asarray(target, np.int32),
        "weight": np.clip(np.asarray(weight, np.float32), 0.0, 1.0),
        "support": np.asarray(support, np.int32),
        "evidence": pl.Series(text, dtype=pl.String),
    }
    return pl.DataFrame(columns, schema=EDGE_SCHEMA).sort(
        ["source", "weight", "target"], descending=[False, True, False]
    )
