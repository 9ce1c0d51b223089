"""Questions to a graph: what is around a product, why two products are related, which products have a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from scipy import sparse

from storewise.core.errors import LimitExceeded, UnknownName
from storewise.understand.graph.facts import attribute_key
from storewise.understand.graph.tables import RELATIONS, Graph

LONGEST = 3


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge as a question finds it; ``evidence`` holds the counts behind it."""

    source: int
    relation: str
    target: int
    weight: float
    support: int
    evidence: dict[str, Any]

    def other(self, node: int) -> int:
        """The end that is not ``node``."""
        return self.target if node == self.source else self.source


@dataclass(frozen=True, slots=True)
class Path:
    """Nodes from one product to another with the edges between them; ``score`` in (0, 1], higher says more."""

    nodes: tuple[int, ...]
    edges: tuple[Edge, ...]
    score: float


def edge(graph: Graph, row: int) -> Edge:
    """An edge of the table."""
    source, relation, target, weight, support, evidence = graph.edges.row(row)
    return Edge(source, relation, target, weight, support, orjson.loads(evidence))


def neighbours(
    graph: Graph, node: int, *, relations: Sequence[str] | None = None, n: int | None = None
) -> list[Edge]:
    """The edges at a node, relation by relation, the heaviest first, at most ``n`` of each relation.

    Raises:
        UnknownName: for a relation that does not exist.
    """
    wanted = RELATIONS if relations is None else tuple(relations)
    check_relations(wanted)
    start, order = graph.touching
    rows = order[start[node] : start[node + 1]]
    names = graph.edges["relation"].gather(rows).to_list()
    weight = graph.edges["weight"].gather(rows).to_numpy()
    found = []
    for relation in wanted:
        mine = np.array([i for i, name in enumerate(names) if name == relation], np.int64)
        best = mine[np.lexsort((rows[mine], -weight[mine]))][:n]
        found += [edge(graph, int(rows[i])) for i in best]
    return found


def check_relations(relations: Sequence[str]) -> None:
    """Raise for a relation that does not exist.

    Raises:
        UnknownName: with the known ones.
    """
    for relation in relations:
        if relation not in RELATIONS:
            raise UnknownName(
                f"There is no relation {relation!r}.", next_step=f"Known are {', '.join(RELATIONS)}."
            )


def products_with(graph: Graph, name: str, value: Any) -> npt.NDArray[np.int64]:
    """Products that have an attribute value (``colour``, ``red``), a brand or a category, by rising index.

    >>> from storewise.understand.graph.build import build_graph
    >>> from storewise.data.dataset import Dataset
    >>> import polars as pl
    >>> shop = Dataset.of([0], [0], n_customers=1, n_products=2)
    >>> told = pl.DataFrame({"product_id": ["1"], "name": ["colour"], "value": ["Red"]})
    >>> products_with(build_graph(shop, attributes=told), "colour", "red").tolist()
    [1]
    """
    kind, key = (
        (name, str(value)) if name in ("brand", "category") else ("attribute", attribute_key(name, value))
    )
    node = graph.index.get((kind, key))
    if node is None:
        return np.empty(0, np.int64)
    start, order = graph.touching
    ends = graph.edges["source"].gather(order[start[node] : start[node + 1]]).to_numpy()
    return np.unique(ends[ends < graph.n_products]).astype(np.int64)


def paths(graph: Graph, a: int, b: int, *, longest: int = LONGEST, n: int = 5) -> list[Path]:
    """Why two products are related: the best paths between them of at most ``longest`` edges, no node twice.

    A path scores the product of its edges' weights and, for each node inside it, 1 / ln(e + degree): a path
    through a category of hundreds says little (Adamic and Adar 2003).

    Raises:
        LimitExceeded: for paths longer than 3.
    """
    if not 1 <= longest <= LONGEST:
        raise LimitExceeded(
            f"Paths of {longest} edges were asked for, 1 to {LONGEST} are possible.",
            next_step=f"Ask for at most {LONGEST}.",
        )
    if a == b:
        return []
    weight, rows = graph.strongest
    found = sorted(_walks(weight, a, b, longest), key=lambda walk: (-walk[0], len(walk[1]), walk[1]))[:n]
    return [
        Path(nodes, tuple(edge(graph, rows[pair]) for pair in _pairs(nodes)), score) for score, nodes in found
    ]


def _pairs(nodes: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(min(pair), max(pair)) for pair in pairwise(nodes)]


def _walks(
    weight: sparse.csr_matrix, a: int, b: int, longest: int
) -> Iterator[tuple[float, tuple[int, ...]]]:
    toll = 1.0 / np.log(np.e + np.diff(weight.indptr))
    ours, theirs = _row(weight, a), _row(weight, b)
    if b in ours:
        yield ours[b], (a, b)
    if longest >= 2:
        for middle in ours.keys() & theirs.keys():
            yield ours[middle] * theirs[middle] * float(toll[middle]), (a, middle, b)
    if longest >= 3:
        ends = np.array(sorted(theirs.keys() - {a}), np.int64)
        last = np.array([theirs[int(v)] for v in ends]) * toll[ends]
        for u in sorted(ours.keys() - {b}):
            row = slice(weight.indptr[u], weight.indptr[u + 1])
            common, here, there = np.intersect1d(weight.indices[row], ends, return_indices=True)
            score = ours[u] * float(toll[u]) * weight.data[row][here] * last[there]
            for v, value in zip(common.tolist(), score.tolist(), strict=True):
                if v != u:
                    yield value, (a, u, v, b)


def _row(weight: sparse.csr_matrix, node: int) -> dict[int, float]:
    row = slice(weight.indptr[node], weight.indptr[node + 1])
    return dict(zip(weight.indices[row].tolist(), weight.data[row].astype(float).tolist(), strict=True))
