"""Implicit matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from storewise.core.component import Arrays
from storewise.core.progress import Progress, Silent
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.factors import FactorConfig, Factors
from storewise.recommend.retrieve.least_squares import Matrix, Rows
from storewise.recommend.retrieve.spectral import spectral_start


class IalsConfig(FactorConfig):
    """``unobserved``: weight of each missing pair (alpha_0). ``regularization`` λ with frequency exponent ν:
    a row with m entries among n columns is regularised by λ (m + unobserved n) ** ν. ``solver``: how training
    solves a row, by ``cg_steps`` conjugate gradient steps from its last solution or exactly (slower).
    ``start_rounds`` of subspace iteration make the first product vectors; 0 starts from noise."""

    embedding_size: int = Field(default=128, ge=1, le=4_096)
    epochs: int = Field(default=12, ge=0)
    unobserved: float = Field(default=0.1, gt=0.0)
    regularization: float = Field(default=0.003, gt=0.0)
    frequency_exponent: float = Field(default=1.0, ge=0.0, le=1.0)
    solver: Literal["cg", "exact"] = "cg"
    cg_steps: int = Field(default=3, ge=1)
    start_rounds: int = Field(default=2, ge=0)


class Ials(Factors[IalsConfig]):
    """iALS (Hu, Koren & Volinsky 2008) in the form and with the tuning of Rendle et al. 2021.

    Minimises Σ_observed (1 - u·v)² + α₀ Σ_all (u·v)² + Σ_u λ_u |u|² + Σ_v λ_v |v|². The part of the normal
    equations that all rows share, α₀ VᵀV, is made diagonal by a rotation. It holds most of their mass, so
    a few conjugate gradient steps from the last epoch's solution (Takács, Pilászy & Tikk 2011), scaled by
    this diagonal, do in training; the first start from ``spectral_start``. Histories of shoppers are always
    solved exactly.
    """

    Config = IalsConfig

    def __init__(self, config: IalsConfig | None = None) -> None:
        super().__init__(config)
        self._shared: Matrix | None = None  # (embedding_size,), the diagonal of α₀ VᵀV

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        c, x = self.config, dataset.interactions.latest(self.config.window_days).matrix
        d, scale = c.embedding_size, 0.1 / np.sqrt(c.embedding_size)
        noise = (rng.standard_normal((x.shape[1], d)) * scale).astype(np.float32)
        customers = np.zeros((x.shape[0], d), np.float32)
        with threadpool_limits(limits=1, user_api="blas"):  # many small products: threads would only wait
            products = spectral_start(x, noise, rounds=c.start_rounds)
            of_customers, of_products = self._side(x), self._side(x.T.tocsr())
            for _ in (progress or Silent()).track(range(c.epochs), label="iALS"):
                products, customers = self._alternate(of_customers, products, customers)
                customers, products = self._alternate(of_products, customers, products)
        self.products, self._shared, _ = _rotate(products, c.unobserved)

    def state(self) -> Arrays:
        """``products`` in the rotated basis and ``shared``, the diagonal that goes with it."""
        vectors = self.vectors()
        assert self._shared is not None
        return {"products": vectors, "shared": self._shared}

    def restore(self, state: Arrays) -> None:
        self.products, self._shared = state["products"], state["shared"]

    def shoppers(self, histories: Histories) -> Matrix:
        """Fold-in: the vectors that training would give to these histories."""
        vectors = self.vectors()
        assert self._shared is not None
        rows, ridge = self._side(histories.matrix())
        return rows.solve(vectors, self._shared, ridge)

    def _side(self, x: sparse.csr_matrix) -> tuple[Rows, Matrix]:
        """The rows of ``x`` and the regularisation of each."""
        c = self.config
        mass = np.diff(x.indptr) + c.unobserved * x.shape[1]
        ridge = (c.regularization * mass**c.frequency_exponent).astype(np.float32)
        return Rows(x, c.embedding_size), ridge

    def _alternate(self, side: tuple[Rows, Matrix], vectors: Matrix, last: Matrix) -> tuple[Matrix, Matrix]:
        """The other side's ``vectors``, rotated, and in the same basis what they give one side's rows, whose
        ``last`` vectors were."""
        (rows, ridge), c = side, self.config
        rotated, shared, basis = _rotate(vectors, c.unobserved)
        if c.solver == "exact":
            return rotated, rows.solve(rotated, shared, ridge)
        return rotated, rows.descend(rotated, shared, ridge, start=last @ basis, steps=c.cg_steps)


def _rotate(vectors: Matrix, unobserved: float) -> tuple[Matrix, Matrix, Matrix]:
    """The vectors in the basis where unobserved × VᵀV is diagonal, that diagonal and the basis (columns)."""
    v = vectors.astype(np.float64)
    values, basis = np.linalg.eigh(v.T @ v)
    shared = unobserved * np.maximum(values, 0.0)
    return (v @ basis).astype(np.float32), shared.astype(np.float32), basis.astype(np.float32)
