"""LightGCN: product vectors smoothed over the graph of shoppers and products, learned by hiding a part of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories, Interactions
from storewise.recommend.retrieve.deep.layers import noise, unit_rows
from storewise.recommend.retrieve.deep.neural import Neural, Step, Weights
from storewise.recommend.retrieve.deep.training import NeuralConfig
from storewise.recommend.retrieve.spectral import spectral_start

Floats = npt.NDArray[np.float32]
ITEM, SMOOTH, SCALE = "item", "smooth", "scale"


class LightGcnConfig(NeuralConfig):
    """``layers``: steps from product to product over common shoppers. ``held``: share of all edges that each
    epoch hides and asks for. ``negatives`` draws a step, from (shoppers of j) ** ``negative_power``.
    ``batch_size``: shoppers a step. ``start_rounds``: of subspace iteration for the first vectors (0: noise)."""

    layers: int = Field(default=2, ge=0, le=8)
    held: float = Field(default=0.2, gt=0.0, lt=1.0)
    negatives: int = Field(default=4_096, ge=1)
    negative_power: float = Field(default=0.5, ge=0.0, le=1.0)
    start_rounds: int = Field(default=2, ge=0)
    length: int = Field(default=200, ge=1)
    batch_size: int = Field(default=2_048, ge=1)
    learning_rate: float = Field(default=5e-3, gt=0.0)
    warm_up: int = Field(default=20, ge=0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    temperature: float | None = Field(default=0.15, gt=0.0)
    averaging: float = Field(default=0.98, ge=0.0, lt=1.0)
    repeats: bool = False


class LightGcn(Neural[LightGcnConfig]):
    """LightGCN (He et al. 2020) without shopper vectors, trained by sampled softmax.

    With n_i, m_u the degrees of the graph and A = D_u^-1/2 X D_i^-1/2,

        P = mean over k = 0 … layers of (AᵀA)^k E,   u(h) = Σ_{i∈h} n_i^-1/2 P_i,   score = cos(u, P_j) / t

    E are the learned vectors. A shopper is the sum of neighbours (as in Wu et al. 2022, INMO), so that a new
    shopper or a live event needs no training. Each epoch hides a random ``held`` of all edges, propagates over the
    rest and asks for the hidden ones: the graph never holds the answer, which LightGCN's own training does not
    care for. Negatives with log-Q correction stand for the whole softmax (Wu et al. 2024, SSM) instead of BPR.

    >>> LightGcn(LightGcnConfig(layers=3)).config.layers
    3
    """

    Config = LightGcnConfig
    label = "LightGCN"

    def __init__(self, config: LightGcnConfig | None = None) -> None:
        super().__init__(config)
        self._graph: sparse.csr_matrix | None = None  # (n_customers, n_products), ones

    def initial(self, dataset: Dataset, rng: np.random.Generator) -> Weights:
        x, d = dataset.interactions.matrix, self.config.embedding_size
        first = spectral_start(x, noise(rng, x.shape[1], d, 1.0), rounds=self.config.start_rounds)
        scale = np.sqrt(np.mean(first * first) * d)
        return {ITEM: (first / max(float(scale), 1e-12)).astype(np.float32)}

    def prepare(self, dataset: Dataset) -> sparse.csr_matrix:
        self._graph = self._recent(dataset.interactions)
        return self._graph

    def _recent(self, behaviour: Interactions) -> sparse.csr_matrix:
        place = np.arange(len(behaviour)) - behaviour.indptr[1:][behaviour.customers]
        return behaviour.select(place >= -self.config.length).matrix

    def batches(self, prepared: sparse.csr_matrix, rng: np.random.Generator) -> list[Any]:
        """A new hiding of edges, in batches of shoppers who have both some hidden and some left."""
        hidden = rng.random(prepared.nnz) < self.config.held
        rest, asked = (_part(prepared, mask) for mask in (~hidden, hidden))
        able = np.flatnonzero((np.diff(rest.indptr) > 0) & (np.diff(asked.indptr) > 0))
        order, size, graph = rng.permutation(able), self.config.batch_size, Propagation(rest)
        return [
            (graph, rest[order[s : s + size]], asked[order[s : s + size]]) for s in range(0, len(order), size)
        ]

    def loss(self, weights: Mapping[str, Any], batch: Any, prepared: Any, step: Step) -> Any:
        graph, rest, asked = batch
        c, f = self.config, step.torch.nn.functional
        smooth = graph.smooth(weights[ITEM], c.layers, step)
        products = f.normalize(smooth, dim=1, eps=1e-6)
        share = step.tensor(graph.item[rest.indices])
        shoppers = f.embedding_bag(
            step.tensor(rest.indices.astype(np.int64)), smooth, step.tensor(rest.indptr[:-1].astype(np.int64)),
            mode="sum", per_sample_weights=share,
        )  # fmt: skip
        states = f.normalize(step.dropout(shoppers, c.dropout), dim=1, eps=1e-6) / (c.temperature or 1.0)
        chance = np.maximum(np.diff(graph.columns.indptr), 1).astype(np.float64) ** c.negative_power
        chance /= chance.sum()
        sample, count = np.unique(step.rng.choice(len(chance), c.negatives, p=chance), return_counts=True)
        offset = step.tensor(np.log(count / (c.negatives * chance[sample])).astype(np.float32))
        logits = states @ products[step.tensor(sample)].T + offset
        own = [step.tensor(part) for part in _inside(rest + asked, sample)]
        rest_mass = logits.index_put((own[0], own[1]), logits.new_tensor(-np.inf)).logsumexp(dim=1)
        rows = step.tensor(np.repeat(np.arange(asked.shape[0]), np.diff(asked.indptr)))
        wanted = (states[rows] * products[step.tensor(asked.indices.astype(np.int64))]).sum(dim=1)
        return f.softplus(rest_mass[rows] - wanted).mean()  # log(exp wanted + rest) - wanted

    def take(self, weights: Weights) -> None:
        """Weights out of training are propagated over the whole graph; weights that were kept have been."""
        if SMOOTH not in weights:
            assert self._graph is not None
            graph = Propagation(self._graph)
            smooth = graph.mean(weights[ITEM], self.config.layers)
            weights = {**weights, SMOOTH: smooth, SCALE: graph.item}
        super().take(weights)

    def product_vectors(self, weights: Weights) -> Floats:
        return unit_rows(weights[SMOOTH])

    def shoppers(self, histories: Histories) -> Floats:
        read = histories.recency < self.config.length
        share = self.weights[SCALE][histories.products] * read
        found: Floats = unit_rows(histories.matrix(share) @ self.weights[SMOOTH])
        return found / np.float32(self.config.temperature or 1.0)


class Propagation:
    """AᵀA of a graph ``x`` (n_customers, n_products) of ones; ``item``: n_i^-1/2."""

    def __init__(self, x: sparse.csr_matrix) -> None:
        self.columns = x.T.tocsr()
        self.item = _root(np.diff(self.columns.indptr))
        per_row = np.diff(x.indptr)
        self._a = sparse.csr_matrix(
            (np.repeat(_root(per_row), per_row) * self.item[x.indices], x.indices, x.indptr), shape=x.shape
        )
        self._back = self._a.T.tocsr()
        self._tensors: Any = None

    def mean(self, e: Floats, layers: int) -> Floats:
        """(n_products, d): the mean of (AᵀA)^k e, k = 0 … layers."""
        total, part = e, e
        for _ in range(layers):
            part = self._back @ (self._a @ part)
            total = total + part
        found: Floats = (total / np.float32(layers + 1)).astype(np.float32)
        return found

    def smooth(self, e: Any, layers: int, step: Step) -> Any:
        """The same of a tensor, with its gradient: AᵀA is symmetric, so that is the same map again."""
        torch = step.torch
        if self._tensors is None:
            self._tensors = [_csr(part, step) for part in (self._a, self._back)]
        a, back = self._tensors

        def run(x: Any) -> Any:
            total, part = x.clone(), x
            for _ in range(layers):
                part = back @ (a @ part)
                total += part
            return total / (layers + 1)

        class Smooth(torch.autograd.Function):  # type: ignore[name-defined, misc]
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return run(x)

            @staticmethod
            def backward(ctx: Any, grad: Any) -> Any:
                return run(grad)

        return Smooth.apply(e)


def _csr(x: sparse.csr_matrix, step: Step) -> Any:
    parts = [
        step.tensor(part.astype(kind))
        for part, kind in zip((x.indptr, x.indices, x.data), (np.int64, np.int64, np.float32), strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "beta state"
        return step.torch.sparse_csr_tensor(*parts, size=x.shape, check_invariants=False)


def _root(counts: npt.NDArray[Any]) -> Floats:
    found: Floats = (np.maximum(counts, 1) ** -0.5).astype(np.float32)
    return found


def _part(x: sparse.csr_matrix, kept: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
    indptr = np.concatenate([[0], np.cumsum(kept)])[x.indptr]
    return sparse.csr_matrix((x.data[kept], x.indices[kept], indptr), shape=x.shape)


def _inside(
    x: sparse.csr_matrix, sample: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(row, place in the sample) of each entry of x that is in the sample (rising)."""
    place = np.minimum(np.searchsorted(sample, x.indices), len(sample) - 1)
    found = sample[place] == x.indices
    rows = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    return rows[found].astype(np.int64), place[found].astype(np.int64)
