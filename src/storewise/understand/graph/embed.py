"""Vectors of products from their place in the graph, for models that take features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse
from scipy.sparse.linalg import eigsh

from storewise.core.config import Config
from storewise.core.rng import spawn
from storewise.understand.graph.tables import SYMMETRIC, Graph

DENSE = 400  # below this many nodes the exact decomposition is as fast


class EmbedConfig(Config):
    """``dimensions``: length of a vector. ``walk``: steps of the random walks, ``negatives``: the shift of the
    pointwise mutual information (``ppmi``). ``relations``: the weight of each relation in the adjacency, 0 to
    leave one out; substitutes and accessories are left out unless named."""

    method: Literal["spectral", "ppmi"] = "ppmi"
    dimensions: int = Field(default=64, ge=1)
    walk: int = Field(default=3, ge=1, le=20)
    negatives: float = Field(default=1.0, gt=0)
    relations: Mapping[str, float] = Field(
        default={
            "bought_with": 1.0,
            "complements": 0.0,
            "has_brand": 1.0,
            "in_category": 1.0,
            "has_attribute": 1.0,
        }
    )


def embed(graph: Graph, config: EmbedConfig | None = None, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """(n_products, dimensions) float32, rows of length 1, or 0 for a product without any edge.

    With A the symmetric adjacency of all nodes, D its degrees and U Λ Uᵀ the leading eigenpairs of
    D^-½ A D^-½: ``spectral`` gives D^-½ U f(Λ)^½ with f(λ) = (λ + … + λ^T) / T, the factors of what NetMF
    (Qiu et al. 2018) takes the logarithm of; ``ppmi`` factorises max(0, ln(vol a_ij / (d_i d_j b))), which is
    NetMF with one step (Levy and Goldberg 2014). Signs are fixed by each column's largest entry and the start
    vector by the seed, so that the same graph gives the same vectors.

    >>> from storewise.data.dataset import Dataset
    >>> from storewise.understand.graph.build import build_graph
    >>> embed(build_graph(Dataset.of([0], [0], n_customers=1, n_products=2))).tolist()[0][:2]
    [0.0, 0.0]
    """
    config = config or EmbedConfig()
    adjacency = _adjacency(graph, config)
    degree = np.asarray(adjacency.sum(axis=1), np.float64).ravel()
    out = np.zeros((graph.n_products, config.dimensions), np.float32)
    alive = np.flatnonzero(degree > 0)
    if len(alive) < 2:
        return out
    adjacency, degree = adjacency[alive][:, alive].astype(np.float64), degree[alive]
    root = 1.0 / np.sqrt(degree)
    if config.method == "spectral":
        scaled = sparse.diags(root) @ adjacency @ sparse.diags(root)
        values, vectors = _leading(scaled, config.dimensions, seed)
        walked = sum(values**step for step in range(1, config.walk + 1)) / config.walk
        rows = root[:, None] * vectors * np.sqrt(np.maximum(walked, 0.0))
    else:
        values, vectors = _leading(_ppmi(adjacency, degree, config.negatives), config.dimensions, seed)
        rows = vectors * np.sqrt(np.maximum(values, 0.0))
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-12)
    products = alive < graph.n_products
    out[alive[products], : rows.shape[1]] = rows[products]
    return out


def _adjacency(graph: Graph, config: EmbedConfig) -> sparse.csr_matrix:
    total = sparse.csr_matrix((graph.nodes.height, graph.nodes.height), dtype=np.float32)
    for relation, weight in config.relations.items():
        if weight > 0 and graph.counts.get(relation):
            found = graph.matrix(relation)
            symmetric = found if relation in SYMMETRIC else found + found.T
            total = total + weight * symmetric
    return total.tocsr()


def _ppmi(
    adjacency: sparse.csr_matrix, degree: npt.NDArray[np.float64], negatives: float
) -> sparse.csr_matrix:
    found = adjacency.tocoo()
    value = np.log(degree.sum() * found.data / (degree[found.row] * degree[found.col] * negatives))
    keep = value > 0
    return sparse.csr_matrix((value[keep], (found.row[keep], found.col[keep])), shape=adjacency.shape)


def _leading(
    matrix: sparse.csr_matrix, k: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The largest eigenvalues, falling, with sign-fixed eigenvectors."""
    n = matrix.shape[0]
    if n <= DENSE or k >= n - 1:
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        start = spawn(seed, "graph.embed").standard_normal(n)
        values, vectors = eigsh(matrix, k=k, which="LA", v0=start)
    order = np.argsort(-values, kind="stable")[:k]
    values, vectors = values[order], vectors[:, order]
    largest = np.abs(vectors).argmax(axis=0)
    return values, vectors * np.where(vectors[largest, np.arange(len(order))] < 0, -1.0, 1.0)
