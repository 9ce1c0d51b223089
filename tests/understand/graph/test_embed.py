"""Embeddings: what is linked is near, and the same graph gives the same numbers."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest

from storewise.understand.graph import EmbedConfig, Graph, embed
from storewise.understand.graph.tables import EDGE_SCHEMA

METHODS = ("spectral", "ppmi")


def two_halves(size: int = 60, seed: int = 0) -> Graph:
    """Products of the first half are linked among themselves, those of the second too; the last has nothing."""
    rng = np.random.default_rng(seed)
    half = (size - 1) // 2
    rows = [
        (a, "bought_with", b, float(rng.uniform(0.2, 1)), 5, "{}")
        for a in range(size - 1)
        for b in range(a + 1, size - 1)
        if rng.random() < (0.3 if (a < half) == (b < half) else 0.01)
    ]
    nodes = pl.DataFrame(
        {"kind": ["product"] * size, "key": [str(i) for i in range(size)], "label": ["x"] * size}
    )
    return Graph(nodes, pl.DataFrame(rows, schema=EDGE_SCHEMA, orient="row"))


@pytest.mark.parametrize("method", METHODS)
def test_linked_products_are_near(method: str) -> None:
    vectors = embed(two_halves(), EmbedConfig(method=method, dimensions=8))
    assert vectors.dtype == np.float32
    assert vectors.shape == (60, 8)
    cosine = vectors[:58] @ vectors[:58].T
    same = (np.arange(58)[:, None] < 29) == (np.arange(58) < 29)
    assert cosine[same].mean() > cosine[~same].mean() + 0.2
    assert np.linalg.norm(vectors[:58], axis=1) == pytest.approx(np.ones(58), abs=1e-5)
    assert not vectors[59].any()  # nothing is known of it


@pytest.mark.parametrize("method", METHODS)
def test_sparse_and_dense_solvers_agree(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, config = two_halves(), EmbedConfig(method=method, dimensions=8)
    dense = embed(graph, config)
    monkeypatch.setattr(sys.modules[embed.__module__], "DENSE", 0)
    krylov = embed(graph, config)
    assert krylov == pytest.approx(dense, abs=1e-4)
    assert np.array_equal(krylov, embed(graph, config))  # deterministic


def test_relations_of_weight_zero_do_not_speak() -> None:
    assert not embed(two_halves(), EmbedConfig(relations={"bought_with": 0.0})).any()


def test_more_dimensions_than_nodes_are_padded() -> None:
    vectors = embed(two_halves(12), EmbedConfig(dimensions=50))
    assert vectors.shape == (12, 50)
    assert not vectors[:, 12:].any()
