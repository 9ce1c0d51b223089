"""Bayesian personalised ranking: factors that put what was chosen above what was not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.component import Arrays
from storewise.core.progress import Progress, Silent
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.factors import FactorConfig, Factors

Matrix = npt.NDArray[np.float32]


class BprConfig(FactorConfig):
    """``negative_power``: a negative is drawn in proportion to its customers ** negative_power (0: evenly).
    ``batch``: pairs a step."""

    embedding_size: int = Field(default=64, ge=1, le=4_096)
    epochs: int = Field(default=15, ge=0)
    learning_rate: float = Field(default=0.05, gt=0.0)
    regularization: float = Field(default=0.02, ge=0.0)
    negative_power: float = Field(default=0.5, ge=0.0, le=1.0)
    batch: int = Field(default=8_192, ge=1)


class Bpr(Factors[BprConfig]):
    """BPR (Rendle et al. 2009) on a shopper vector that is made from the history.

    The shopper's vector is the mean of a second, "source" vector of each history product (Kabbur et al. 2013,
    FISM), so an unknown shopper and a live session are scored like any other; the product to be ranked is left
    out of the mean while training. Mini-batches with Adagrad; negatives are products the customer did not
    choose.
    """

    Config = BprConfig

    def __init__(self, config: BprConfig | None = None) -> None:
        super().__init__(config)
        self._sources: Matrix | None = None  # (n_products, embedding_size)
        self._bias: Matrix | None = None  # (n_products,)

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        c, x = self.config, dataset.interactions.latest(self.config.window_days).matrix
        n = x.shape[1]
        scale = 1.0 / np.sqrt(c.embedding_size)
        draw = rng.standard_normal((2, n, c.embedding_size)) * 0.1 * scale
        tables = [draw[0].astype(np.float32), draw[1].astype(np.float32), np.zeros((n, 1), np.float32)]
        squares = [np.full_like(table, 1e-6) for table in tables]
        weight = np.maximum(np.diff(x.T.tocsr().indptr), 1e-3).astype(float) ** c.negative_power
        rows = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
        cumulative = np.cumsum(weight) / weight.sum()
        for _ in (progress or Silent()).track(range(c.epochs), label="BPR"):
            order = rng.permutation(x.nnz)
            for start in range(0, len(order), c.batch):
                pick = order[start : start + c.batch]
                negative = np.minimum(np.searchsorted(cumulative, rng.random(len(pick))), n - 1)
                keep = ~_chosen(x, rows[pick], negative)
                self._step(x, rows[pick][keep], x.indices[pick][keep], negative[keep], tables, squares)
        self.products, self._sources, self._bias = tables[0], tables[1], tables[2][:, 0]

    def state(self) -> Arrays:
        """``products``, ``sources`` (n_products, embedding_size) and ``bias`` (n_products,)."""
        vectors = self.vectors()
        assert self._sources is not None
        assert self._bias is not None
        return {"products": vectors, "sources": self._sources, "bias": self._bias}

    def restore(self, state: Arrays) -> None:
        self.products, self._sources, self._bias = state["products"], state["sources"], state["bias"]

    def shoppers(self, histories: Histories) -> Matrix:
        self.vectors()
        x = histories.matrix()
        lengths = np.maximum(np.diff(x.indptr), 1).astype(np.float32)
        found: Matrix = (x @ self._sources) / np.sqrt(lengths)[:, None]
        return found

    def scores(self, histories: Histories) -> Matrix:
        self.vectors()
        assert self._bias is not None
        return super().scores(histories) + self._bias

    def _step(
        self,
        x: sparse.csr_matrix,
        rows: npt.NDArray[np.int64],
        positive: npt.NDArray[np.int32],
        negative: npt.NDArray[np.int64],
        tables: list[Matrix],
        squares: list[Matrix],
    ) -> None:
        """One Adagrad step on -log sigmoid(score(positive) - score(negative)) + regularization."""
        products, sources, bias = tables
        b, n = len(rows), x.shape[1]
        history = x[rows]
        count = np.diff(history.indptr).astype(np.float32)
        norm = (1.0 / np.sqrt(np.maximum(count - 1.0, 1.0)))[:, None]
        shopper = (history @ sources - sources[positive]) * norm
        margin = ((products[positive] - products[negative]) * shopper).sum(1) + (
            bias[positive] - bias[negative]
        )[:, 0]
        pull = (1.0 / (1.0 + np.exp(margin)))[:, None].astype(np.float32)
        ones = np.ones(b, np.float32)
        index = np.arange(b)
        at_positive = sparse.csr_matrix((ones, (positive, index)), shape=(n, b))
        at_negative = sparse.csr_matrix((ones, (negative, index)), shape=(n, b))
        to_source = pull * (products[positive] - products[negative]) * norm
        gradients = (
            (at_positive - at_negative) @ (pull * shopper),
            history.T.tocsr() @ to_source - at_positive @ to_source,
            (at_positive - at_negative) @ pull,
        )
        for table, square, gradient in zip(tables, squares, gradients, strict=True):
            change = gradient - self.config.regularization * table
            touched = np.flatnonzero(np.abs(gradient).sum(1))
            change = change[touched]
            square[touched] += change**2
            table[touched] += self.config.learning_rate * change / np.sqrt(square[touched])


def _chosen(
    x: sparse.csr_matrix, rows: npt.NDArray[np.int64], products: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """(b,): whether each customer chose the product."""
    found: npt.NDArray[np.bool_] = np.asarray(x[rows, products]).ravel() > 0
    return found
