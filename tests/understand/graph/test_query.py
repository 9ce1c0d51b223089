"""Neighbours and paths against a search that tries everything."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import LimitExceeded, UnknownName
from storewise.understand.graph import Graph, neighbours, paths
from storewise.understand.graph.tables import EDGE_SCHEMA


def random_graph(seed: int, nodes: int = 9, edges: int = 16) -> Graph:
    rng = np.random.default_rng(seed)
    ends = [sorted(rng.choice(nodes, 2, replace=False).tolist()) for _ in range(edges)]
    frame = pl.DataFrame(
        {
            "source": [a for a, _ in ends],
            "relation": rng.choice(["bought_with", "substitutes"], edges),
            "target": [b for _, b in ends],
            "weight": rng.uniform(0.1, 1.0, edges),
            "support": np.ones(edges, int),
            "evidence": ["{}"] * edges,
        }
    ).cast(EDGE_SCHEMA)
    table = pl.DataFrame(
        {"kind": ["product"] * nodes, "key": [str(i) for i in range(nodes)], "label": ["x"] * nodes}
    )
    return Graph(table, frame)


def by_trying(graph: Graph, a: int, b: int, longest: int) -> list[tuple[float, tuple[int, ...]]]:
    """All simple paths, scored from the definition."""
    heaviest: dict[tuple[int, int], float] = {}
    for source, target, weight in graph.edges.select("source", "target", "weight").iter_rows():
        for pair in ((source, target), (target, source)):
            heaviest[pair] = max(heaviest.get(pair, 0.0), weight)
    degree = {node: sum(pair[0] == node for pair in heaviest) for node in range(graph.nodes.height)}
    found = []
    for length in range(longest):
        for inside in itertools.permutations(set(range(graph.nodes.height)) - {a, b}, length):
            nodes = (a, *inside, b)
            steps = list(itertools.pairwise(nodes))
            if all(step in heaviest for step in steps):
                score = float(np.prod([heaviest[step] for step in steps]))
                found.append((score / float(np.prod([np.log(np.e + degree[i]) for i in inside])), nodes))
    return sorted(found, key=lambda walk: (-walk[0], len(walk[1]), walk[1]))


@pytest.mark.parametrize("seed", range(6))
def test_paths_are_the_best_of_all(seed: int) -> None:
    graph = random_graph(seed)
    for a, b in [(0, 1), (2, 7), (8, 3)]:
        for longest in (1, 2, 3):
            told = paths(graph, a, b, longest=longest, n=4)
            wanted = by_trying(graph, a, b, longest)[:4]
            assert [path.score for path in told] == pytest.approx([score for score, _ in wanted], rel=1e-5)
            for path in told:
                assert (path.nodes[0], path.nodes[-1]) == (a, b)
                for edge, step in zip(path.edges, itertools.pairwise(path.nodes), strict=True):
                    assert {edge.source, edge.target} == set(step)


def test_neighbours_fall_in_weight_and_stop_at_n() -> None:
    graph = random_graph(1)
    for node in range(9):
        everything = neighbours(graph, node)
        touching = graph.edges.filter((pl.col("source") == node) | (pl.col("target") == node))
        assert len(everything) == touching.height
        for relation in ("bought_with", "substitutes"):
            mine = [edge for edge in everything if edge.relation == relation]
            assert [e.weight for e in mine] == sorted((e.weight for e in mine), reverse=True)
            assert neighbours(graph, node, relations=[relation], n=1) == mine[:1]
            assert all(edge.other(node) != node for edge in mine)


def test_limits_and_unknown_names() -> None:
    graph = random_graph(0)
    with pytest.raises(LimitExceeded, match="Paths of 4 edges"):
        paths(graph, 0, 1, longest=4)
    with pytest.raises(UnknownName, match="no relation 'likes'"):
        neighbours(graph, 0, relations=["likes"])
    with pytest.raises(UnknownName, match="no product 'nothing'"):
        graph.node("product", "nothing")
    assert paths(graph, 2, 2) == []
