"""Implicit matrix factorisation by alternating least squares, solved exactly and in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.component import Arrays
from storewise.core.progress import Progress, Silent
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.factors import FactorConfig, Factors

CELLS = 2_000_000
"""Numbers gathered at a time: bounds memory to some tens of MB."""

Matrix = npt.NDArray[np.float32]


class IalsConfig(FactorConfig):
    """``unobserved``: weight of each missing pair (alpha_0). ``regularization`` λ with frequency exponent ν:
    a row with m entries among n columns is regularised by λ (m + unobserved n) ** ν."""

    embedding_size: int = Field(default=128, ge=1, le=4_096)
    epochs: int = Field(default=12, ge=0)
    unobserved: float = Field(default=0.1, gt=0.0)
    regularization: float = Field(default=0.003, gt=0.0)
    frequency_exponent: float = Field(default=1.0, ge=0.0, le=1.0)


class Ials(Factors[IalsConfig]):
    """iALS (Hu, Koren & Volinsky 2008) in the form and with the tuning of Rendle et al. 2021.

    Minimises Σ_observed (1 - u·v)² + α₀ Σ_all (u·v)² + Σ_u λ_u |u|² + Σ_v λ_v |v|². Each row's normal
    equations are solved exactly. The part that all rows share, α₀ VᵀV, is made diagonal by a rotation; a
    row with fewer entries than dimensions then needs a system of its number of entries only (Woodbury).
    """

    Config = IalsConfig

    def __init__(self, config: IalsConfig | None = None) -> None:
        super().__init__(config)
        self._shared: Matrix | None = None  # (embedding_size,), the diagonal of α₀ VᵀV

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        c, x = self.config, dataset.interactions.matrix
        items = x.T.tocsr()
        scale = 0.1 / np.sqrt(c.embedding_size)
        self._take((rng.standard_normal((x.shape[1], c.embedding_size)) * scale).astype(np.float32))
        for _ in (progress or Silent()).track(range(c.epochs), label="iALS"):
            customers = self._solve(x)
            self._take(self._solve(items, *_rotate(customers, c.unobserved)))

    def state(self) -> Arrays:
        """``products`` in the rotated basis and ``shared``, the diagonal that goes with it."""
        vectors = self.vectors()
        assert self._shared is not None
        return {"products": vectors, "shared": self._shared}

    def restore(self, state: Arrays) -> None:
        self.products, self._shared = state["products"], state["shared"]

    def shoppers(self, histories: Histories) -> Matrix:
        """Fold-in: the vectors that training would give to these histories."""
        self.vectors()
        return self._solve(histories.matrix())

    def _take(self, products: Matrix) -> None:
        self.products, self._shared = _rotate(products, self.config.unobserved)

    def _solve(
        self, x: sparse.csr_matrix, vectors: Matrix | None = None, shared: Matrix | None = None
    ) -> Matrix:
        vectors = self.products if vectors is None else vectors
        shared = self._shared if shared is None else shared
        assert vectors is not None
        assert shared is not None
        c, counts = self.config, np.diff(x.indptr)
        mass = counts + c.unobserved * x.shape[1]
        ridge = (c.regularization * mass**c.frequency_exponent).astype(np.float32)
        return solve_rows(x, vectors, shared, ridge)


def _rotate(vectors: Matrix, unobserved: float) -> tuple[Matrix, Matrix]:
    """The vectors in the basis where unobserved × VᵀV is diagonal, and that diagonal."""
    v = vectors.astype(np.float64)
    values, basis = np.linalg.eigh(v.T @ v)
    return (v @ basis).astype(np.float32), (unobserved * np.maximum(values, 0.0)).astype(np.float32)


def solve_rows(x: sparse.csr_matrix, vectors: Matrix, shared: Matrix, ridge: Matrix) -> Matrix:
    """Row r of the answer (m, d): argmin_u Σ_{j in x[r]} (1 - u·v_j)² + Σ_k shared_k u_k² + ridge_r |u|².

    ``x`` (m, n) CSR of ones, ``vectors`` (n, d), ``shared`` (d,), ``ridge`` (m,). Empty rows give zeros.
    """
    n, d = vectors.shape
    padded = np.vstack([vectors, np.zeros((1, d), np.float32)])
    out = np.zeros((x.shape[0], d), np.float32)
    for rows, columns in _buckets(x, n, d):
        v = padded[columns]  # (b, l, d), zeros where a row is shorter than l
        inverse = 1.0 / (shared + ridge[rows, None])  # (b, d)
        if v.shape[1] < d:
            scaled = v * inverse[:, None, :]
            system = scaled @ v.transpose(0, 2, 1)  # (b, l, l)
            index = np.arange(v.shape[1])
            system[:, index, index] += 1.0
            ones = np.ones((len(rows), v.shape[1], 1), np.float32)
            out[rows] = (scaled.transpose(0, 2, 1) @ np.linalg.solve(system, ones))[:, :, 0]
        else:
            system = v.transpose(0, 2, 1) @ v  # (b, d, d)
            index = np.arange(d)
            system[:, index, index] += 1.0 / inverse
            out[rows] = np.linalg.solve(system, v.sum(axis=1)[:, :, None])[:, :, 0]
    return out


def _buckets(
    x: sparse.csr_matrix, filler: int, d: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows of similar length together: (rows (b,), columns (b, l)), short rows filled up with ``filler``."""
    counts = np.diff(x.indptr)
    order = np.argsort(counts, kind="stable")
    start = int(np.searchsorted(counts[order], 1))
    while start < len(order):
        longest = int(counts[order[start]] * 1.2) + 1
        stop = int(np.searchsorted(counts[order], longest, side="right"))
        longest = int(counts[order[stop - 1]])
        size = max(1, CELLS // (max(longest, min(longest, d)) * d))
        stop = min(stop, start + size)
        rows = order[start:stop]
        longest = int(counts[rows[-1]])
        place = np.arange(longest)
        inside = place < counts[rows, None]
        columns = np.full((len(rows), longest), filler, np.int64)
        columns[inside] = x.indices[(x.indptr[rows, None] + place)[inside]]
        yield rows, columns
        start = stop
