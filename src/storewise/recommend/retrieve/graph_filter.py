"""A filter on the graph of products: near neighbours and the graph's smooth directions, in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from storewise.core.component import Arrays
from storewise.core.progress import Progress, Silent, step
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories, Interactions
from storewise.recommend.request import Reason, Request
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.item_item import ItemItemConfig, entry_weights, keep_largest

Floats = npt.NDArray[np.float32]


class GraphFilterConfig(ItemItemConfig):
    """``customer_power``, ``source_power``, ``target_power``: how strongly busy customers and popular products are
    held back, ``shrinkage`` being added to a product's customers so that chance company of rare ones counts less.
    ``smooth``: weight of the low-pass part, of ``embedding_size`` directions of which direction k
    counts λ_k ** ``sharpness`` (0: all alike, an ideal filter; 1: as one step on the graph). ``neighbours``
    of a product in the one-step part. ``rounds`` of subspace iteration find the directions."""

    embedding_size: int = Field(default=128, ge=1, le=4_096)
    customer_power: float = Field(default=0.5, ge=0.0, le=1.5)
    source_power: float = Field(default=0.5, ge=0.0, le=1.5)
    target_power: float = Field(default=0.5, ge=0.0, le=1.5)
    shrinkage: float = Field(default=0.0, ge=0.0)
    smooth: float = Field(default=0.3, ge=0.0)
    sharpness: float = Field(default=0.5, ge=0.0, le=4.0)
    neighbours: int = Field(default=500, ge=1)
    rounds: int = Field(default=4, ge=1)


class GraphFilter(Retriever[GraphFilterConfig]):
    """A linear graph filter in closed form (Shen et al. 2021, GF-CF; Peng et al. 2024, SGFCF).

    What LightGCN learns by gradient descent is near to a low-pass filter on the graph of products, which has a
    closed form. X customers × products, n_i and m_u its column and row sums, and

        A = D_u^-(a/2) X,   G = D_i^-1/2 AᵀA D_i^-1/2 ≈ V diag(λ) Vᵀ,  λ divided by the largest
        scores of h = h · S_s · (G' / g + smooth · V diag(λ ** sharpness) Vᵀ) · S_t,  S_p = D_i^1/2 (D_i + r)^-p

    with G' = G without its diagonal, the ``neighbours`` greatest of each row, g the largest eigenvalue of G,
    a, s, t the three powers and r the ``shrinkage``: s = t = 1/2 with r = 0 is GF-CF's own scale, larger t favours
    rare products. Without ``smooth`` it is :class:`ItemKnn`.

    >>> shop = Dataset.of([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 2, 3], n_customers=3, n_products=4)
    >>> model = GraphFilter(GraphFilterConfig(embedding_size=2))
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> int(model(Request(Histories.single([2], n_products=4)), 4).products[0])
    3
    """

    Config = GraphFilterConfig

    def __init__(self, config: GraphFilterConfig | None = None) -> None:
        super().__init__(config)
        self._near: sparse.csr_matrix | None = None
        self._source: Floats | None = None  # (n_products, d)
        self._target: Floats | None = None  # (n_products, d)

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        with step(progress or Silent(), "graph filter"):
            self.fit(Graph(dataset.interactions.latest(self.config.window_days)), rng=rng)

    def fit(self, graph: Graph, *, rng: np.random.Generator) -> None:
        """Train from a graph that may be shared by many configs."""
        c = self.config
        near, vectors, values = graph.parts(c.customer_power, c.embedding_size, c.rounds, rng)
        n = np.maximum(graph.interactions.popularity, 1).astype(np.float64)
        source, target = (
            (n**0.5 * (n + c.shrinkage) ** -power).astype(np.float32)
            for power in (c.source_power, c.target_power)
        )
        scaled = sparse.csr_matrix(
            (
                near.data * np.repeat(source, np.diff(near.indptr)) * target[near.indices],
                near.indices,
                near.indptr,
            ),
            shape=near.shape,
        )
        self._near = keep_largest(scaled, c.neighbours)
        share = (c.smooth * values**c.sharpness).astype(np.float32)
        self._source, self._target = source[:, None] * vectors * share, target[:, None] * vectors

    def scores(self, histories: Histories) -> Floats:
        near, source, target = self._ready()
        weight = histories.matrix(entry_weights(self.config, histories))
        found: Floats = (weight @ source) @ target.T
        direct = weight @ near
        rows = np.repeat(np.arange(len(histories)), np.diff(direct.indptr))
        found[rows, direct.indices] += direct.data
        found[:, ~np.abs(target).sum(axis=1).astype(bool)] = -np.inf
        found[np.diff(histories.indptr) == 0] = -np.inf
        return found.astype(np.float32, copy=False)

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """The product of the history that adds most to each score."""
        near, source, target = self._ready()
        history = request.history
        if not len(history.products):
            return [Reason("taste") for _ in products]
        direct = near[history.products][:, products].toarray()
        parts = (direct + source[history.products] @ target[products].T).T
        best = np.argmax(parts * entry_weights(self.config, history), axis=1) if len(products) else []
        return [Reason("bought_with", product=int(history.products[place])) for place in best]

    def state(self) -> Arrays:
        near, source, target = self._ready()
        return {
            "indptr": near.indptr, "indices": near.indices, "data": near.data, "source": source, "target": target,
        }  # fmt: skip

    def restore(self, state: Arrays) -> None:
        n = len(state["indptr"]) - 1
        self._near = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(n, n))
        self._source, self._target = np.asarray(state["source"]), np.asarray(state["target"])

    def _ready(self) -> tuple[sparse.csr_matrix, Floats, Floats]:
        self.require(self._near is not None)
        assert self._near is not None
        assert self._source is not None
        assert self._target is not None
        return self._near, self._source, self._target


class Graph:
    """The product graph of some interactions; what costs is remembered while configs are tried."""

    def __init__(self, interactions: Interactions) -> None:
        self.interactions = interactions
        self._known: tuple[float, int, sparse.csr_matrix, Floats, npt.NDArray[np.float64]] | None = None

    def parts(
        self, customer_power: float, size: int, rounds: int, rng: np.random.Generator
    ) -> tuple[sparse.csr_matrix, Floats, npt.NDArray[np.float64]]:
        """G' / g, V (n_products, d) and λ (d,) between 0 and 1, falling; d is ``size`` or the rank, if smaller."""
        if self._known is None or self._known[:2] != (customer_power, size):
            x = self.interactions.matrix
            per_row, per_column = np.diff(x.indptr), np.maximum(self.interactions.popularity, 1)
            data = np.repeat(np.maximum(per_row, 1.0) ** (-0.5 * customer_power), per_row)
            data = (data * (per_column**-0.5)[x.indices]).astype(np.float32)
            normal = sparse.csr_matrix((data, x.indices, x.indptr), shape=x.shape)
            with threadpool_limits(limits=1, user_api="blas"):
                vectors, values = _leading(normal, size, rounds, rng)
            top = float(values[0]) if len(values) else 1.0
            near = sparse.csr_matrix(normal.T.tocsr() @ normal)
            near.setdiag(0.0)
            near.eliminate_zeros()
            near.data /= np.float32(max(top, 1e-12))
            near.sort_indices()
            self._known = (customer_power, size, near, vectors, values / max(top, 1e-12))
        return self._known[2:]


def _leading(
    x: sparse.csr_matrix, size: int, rounds: int, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """The leading eigenvectors (n, d) and eigenvalues (d,) of XᵀX by subspace iteration with 10 directions to
    spare (Halko, Martinsson & Tropp 2011)."""
    n = x.shape[1]
    width = min(size + 10, n)
    basis = np.linalg.qr(rng.standard_normal((n, width)).astype(np.float32))[0]
    for _ in range(rounds):
        basis = np.linalg.qr(x.T @ (x @ basis))[0]
    told = x @ basis
    values, turn = np.linalg.eigh(told.T.astype(np.float64) @ told)
    keep = np.argsort(-values)[: min(size, n)]
    keep = keep[values[keep] > 1e-9 * max(float(values.max(initial=0.0)), 1e-30)]
    vectors = (basis @ turn[:, keep]).astype(np.float32)
    vectors[np.bincount(x.indices, minlength=n) == 0] = 0.0
    return vectors, values[keep]
