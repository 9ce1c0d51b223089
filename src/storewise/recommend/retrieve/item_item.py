"""What all item-item retrievers share: a sparse weight matrix, and requests that touch only its needed rows."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.data.interactions import Histories
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever, top_n
from storewise.recommend.retrieve.emphasis import emphasised

DAY_S = 86_400.0


class ItemItemConfig(Config):
    """How a history is weighted when it is asked: ``decay`` per step back (a step is a change of time, so the
    lines of one basket are one step, and an unordered set is one step in all) and, for real times, the
    half-life in days (None: time does not matter). ``emphasis``: how much more an entry counts for each
    standard deviation that its rating or quantity lies above the shopper's own mean. ``window_days``: only
    events of the last so many days are learned from (None: all): in season, old company misleads."""

    decay: float = Field(default=0.0, ge=0.0, le=20.0)
    half_life_days: float | None = Field(default=None, gt=0.0)
    emphasis: float = Field(default=0.0, ge=0.0, le=1.0)
    window_days: float | None = Field(default=None, gt=0.0)


ConfigT = TypeVar("ConfigT", bound=ItemItemConfig)


class ItemItem(Retriever[ConfigT]):
    """Score of product j for a history: the sum over its products i of weight(i) times W[i, j].

    ``weights`` W (n_products, n_products) is CSR with sorted indices; row i holds what product i speaks for.
    A product that no history item speaks for gets -inf.
    """

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self.weights: sparse.csr_matrix | None = None

    def state(self) -> Arrays:
        """``indptr``, ``indices``, ``data`` of W."""
        w = self._trained()
        return {"indptr": w.indptr, "indices": w.indices, "data": w.data}

    def restore(self, state: Arrays) -> None:
        n = len(state["indptr"]) - 1
        self.weights = sparse.csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(n, n))
        self.weights.has_sorted_indices = True

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        w = self._trained()
        found = histories.matrix(entry_weights(self.config, histories)) @ w
        out = np.full(found.shape, -np.inf, np.float32)
        out[np.repeat(np.arange(len(out)), np.diff(found.indptr)), found.indices] = found.data
        return out

    def __call__(self, request: Request, n: int) -> ItemList:
        """As ``scores``, but touching only the rows of the history's products."""
        sources, targets, parts = self._contributions(request.history)
        candidates, total = self._sums(targets, parts)
        allowed = None if request.eligible is None else request.eligible[candidates]
        best = top_n(total, n, eligible=allowed)
        products = candidates[best.products]
        reasons = tuple(_strongest(p, sources, targets, parts) for p in products)
        return ItemList(products, best.scores, reasons)

    def finite(self, one: Histories) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        _, targets, parts = self._contributions(one)
        return self._sums(targets, parts)

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """The history item that contributed most to each product."""
        gathered = self._contributions(request.history)
        return [_strongest(p, *gathered) for p in products]

    def _contributions(
        self, one: Histories
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        products, place = np.unique(one.products, return_inverse=True)
        weights = np.bincount(place, entry_weights(self.config, one), len(products))
        return _gather(self._trained(), products, weights.astype(np.float32))

    def _sums(
        self, targets: npt.NDArray[np.int32], parts: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Different targets, rising, and the sums of their parts."""
        n = self._trained().shape[1]
        total, touched = np.zeros(n, np.float32), np.zeros(n, np.bool_)
        np.add.at(total, targets, parts)
        touched[targets] = True
        products = np.flatnonzero(touched).astype(np.int32)
        return products, total[products]

    def _trained(self) -> sparse.csr_matrix:
        self.require(self.weights is not None)
        return self.weights


def entry_weights(config: ItemItemConfig, histories: Histories) -> npt.NDArray[np.float32]:
    """(nnz,): how much each history entry counts."""
    weight = np.exp(-config.decay * steps_back(histories))
    if config.half_life_days is not None:
        now = np.repeat(histories.now, np.diff(histories.indptr))
        age_days = np.maximum(now - histories.at, 0.0) / DAY_S
        weight = weight * np.exp2(-age_days / config.half_life_days)
    if config.emphasis:
        weight = weight * emphasised(histories.weight, histories.rows, config.emphasis)
    found: npt.NDArray[np.float32] = weight.astype(np.float32)
    return found


def steps_back(histories: Histories) -> npt.NDArray[np.int64]:
    """(nnz,): 0 for the entries at a shopper's last time, 1 for those at the time before, …

    >>> steps_back(Histories.single([5, 6, 7], at=[1, 2, 2], n_products=8)).tolist()
    [1, 0, 0]
    """
    if not len(histories.products):
        return np.zeros(0, np.int64)
    step: npt.NDArray[np.int64] = np.cumsum(
        np.r_[0, (np.diff(histories.at) != 0) | (np.diff(histories.rows) != 0)]
    )
    last = np.take(step, histories.indptr[1:][histories.rows] - 1)
    found: npt.NDArray[np.int64] = last - step
    return found


def _gather(
    w: sparse.csr_matrix, products: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """All contributions of some rows of W: (source, target, value), each of shape (m,)."""
    starts, counts = w.indptr[products], w.indptr[products + 1] - w.indptr[products]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    flat = np.repeat(starts - (ends - counts), counts) + np.arange(total)
    return np.repeat(products, counts), w.indices[flat], w.data[flat] * np.repeat(weights, counts)


def _strongest(
    product: int,
    sources: npt.NDArray[np.int32],
    targets: npt.NDArray[np.int32],
    parts: npt.NDArray[np.float32],
) -> Reason:
    here = np.flatnonzero(targets == product)
    if not len(here):
        return Reason("bought_with")
    return Reason("bought_with", product=int(sources[here[np.argmax(parts[here])]]))


def keep_largest(weights: sparse.csr_matrix, per_row: int, *, signed: bool = True) -> sparse.csr_matrix:
    """The ``per_row`` largest entries of each row (by value, ties to the smaller column), indices sorted.
    Not ``signed``: by absolute value, for models whose negative weights say something too.

    >>> keep_largest(sparse.csr_matrix([[3.0, 1.0, 2.0]]), 2).toarray().tolist()
    [[3.0, 0.0, 2.0]]
    """
    weights = weights.tocsr()
    weights.sort_indices()
    counts = np.diff(weights.indptr)
    kept = np.ones(weights.nnz, np.bool_)
    for row in np.flatnonzero(counts > per_row):
        start, stop = weights.indptr[row], weights.indptr[row + 1]
        values = weights.data[start:stop] if signed else np.abs(weights.data[start:stop])
        border = np.partition(values, len(values) - per_row)[len(values) - per_row]
        above = values > border
        level = np.flatnonzero(values == border)[: per_row - int(above.sum())]
        above[level] = True
        kept[start:stop] = above
    indptr = np.concatenate([[0], np.cumsum(np.minimum(counts, per_row))])
    return sparse.csr_matrix((weights.data[kept], weights.indices[kept], indptr), shape=weights.shape)
