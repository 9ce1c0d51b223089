"""Biased matrix factorisation by stochastic gradient steps, with the implicit term of SVD++ (Koren 2008).

rating ≈ overall + b_u + c_i + q_i·(p_u + Σ_j y_j / √n_u), j over the products u rated. A step takes all the
ratings of a few customers, so that their implicit sums are computed once; gradients are sparse products, with
no loop over single ratings. The number of epochs is chosen on a held-out tenth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.progress import Progress
from storewise.recommend.ratings.base import RatingConfig, RatingPredictor
from storewise.recommend.ratings.means import Means
from storewise.recommend.ratings.table import Floats, Ratings


class SgdConfig(RatingConfig):
    """``batch``: ratings a step takes (about: whole customers); ``decay``: of the learning rate an epoch;
    ``patience``: epochs without a better held-out error after which the search for their number ends."""

    embedding_size: int = Field(30, ge=1)
    epochs: int = Field(40, ge=1)
    learning_rate: float = Field(0.02, gt=0.0)
    decay: float = Field(0.95, gt=0.0, le=1.0)
    regularization: float = Field(0.12, ge=0.0)
    batch: int = Field(2000, ge=1)
    patience: int = Field(5, ge=1)
    implicit: bool = True


@dataclass
class Factors:
    """The parameters: biases (n_customers,), (n_products,); p, q, y (·, d)."""

    customer_bias: Floats
    product_bias: Floats
    p: Floats
    q: Floats
    y: Floats


class SgdFactorisation(RatingPredictor[SgdConfig]):
    """Learns by gradient steps, in time linear in the number of ratings.

    >>> rng = np.random.default_rng(0)
    >>> taste, kind = rng.choice([-1, 1], 60), rng.choice([-1, 1], 40)
    >>> who, what = np.nonzero(rng.random((60, 40)) < 0.5)
    >>> table = Ratings.build(who, what, 3 + taste[who] * kind[what], n_customers=60, n_products=40)
    >>> model = SgdFactorisation(SgdConfig(embedding_size=2, batch=300, learning_rate=0.05))
    >>> model.train_on(table, rng=rng)
    >>> found = model.predict(who, what).value
    >>> bool(np.abs(found - table.values).mean() < 0.5)
    True
    """

    Config = SgdConfig
    _epochs: int = 10  # where there is too little to choose it on
    _customers: Floats  # (n_customers, d): p_u + Σ y_j / √n_u
    _biases: Floats  # (n_customers,)
    _products: Floats
    _product_biases: Floats
    _scale: float

    def tune(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        """The number of epochs after which the error on a held-out tenth was least."""
        kept, held = ratings.hold_out(0.1, rng)
        if len(held) == 0:
            return
        means = Means.fit(kept, shrinkage=self.config.shrinkage)
        trainer = _Trainer(self.config, kept, means, float(kept.values.std()) or 1.0, rng)
        best, best_error = 0, np.inf
        for epoch in progress.track(range(1, self.config.epochs + 1), label="number of epochs (SGD)"):
            trainer.epoch()
            error = trainer.error(held)
            if error < best_error:
                best, best_error = epoch, error
            elif epoch - best >= self.config.patience:
                break
        self._epochs = best

    def fit(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        self._scale = float(ratings.values.std()) or 1.0
        trainer = _Trainer(self.config, ratings, self.means, self._scale, rng)
        for _ in progress.track(range(self._epochs), label="rating factors (SGD)"):
            trainer.epoch()
        found = trainer.factors
        self._customers, self._biases = trainer.customer_vectors(), found.customer_bias
        self._products, self._product_biases = found.q, found.product_bias

    def estimate(self, customers: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> Floats:
        factors = np.einsum("nd,nd->n", self._customers[customers], self._products[products])
        biases = self._biases[customers] + self._product_biases[products]
        return np.asarray(self.means.overall + self._scale * (biases + factors), np.float64)

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "customers": self._customers, "customer_biases": self._biases,
            "products": self._products, "product_biases": self._product_biases,
            "scale": np.array(self._scale),
        }  # fmt: skip

    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._customers, self._biases = state["customers"], state["customer_biases"]
        self._products, self._product_biases = state["products"], state["product_biases"]
        self._scale = float(state["scale"])


class _Trainer:
    """Gradient steps over one table, on ratings centred and divided by ``scale``."""

    def __init__(
        self, config: SgdConfig, ratings: Ratings, means: Means, scale: float, rng: np.random.Generator
    ) -> None:
        self.config, self.ratings, self.rng, self.scale, self.overall = (
            config, ratings, rng, scale, means.overall,
        )  # fmt: skip
        self.rate = config.learning_rate
        d = config.embedding_size

        def small(n: int) -> Floats:
            return rng.normal(0.0, 0.05, (n, d))

        self.factors = Factors(
            means.customer / scale, means.product / scale,
            small(ratings.n_customers), small(ratings.n_products),
            small(ratings.n_products) if config.implicit else np.zeros((ratings.n_products, d)),
        )  # fmt: skip
        sizes = np.sqrt(np.maximum(ratings.customer_counts, 1.0))
        self.implicit: sparse.csr_matrix = (sparse.diags(1.0 / sizes) @ ratings.matrix()).tocsr()
        self.centred: sparse.csr_matrix = ratings.matrix((ratings.values - means.overall) / scale)
        self.rated = np.flatnonzero(ratings.customer_counts)

    def epoch(self) -> None:
        """All customers once, in random order."""
        order = self.rng.permutation(self.rated)
        filled = np.cumsum(self.ratings.customer_counts[order])
        cuts = np.searchsorted(filled, np.arange(self.config.batch, filled[-1], self.config.batch))
        for customers in np.split(order, np.unique(cuts[cuts > 0])):
            self._step(customers)
        self.rate *= self.config.decay

    def _step(self, customers: npt.NDArray[np.int64]) -> None:
        f = self.factors
        implicit, block = self.implicit[customers], self.centred[customers]
        rows = np.repeat(np.arange(len(customers)), np.diff(block.indptr))
        products, position = np.unique(block.indices, return_inverse=True)
        vectors = f.p[customers] + implicit @ f.y
        q = f.q[products]
        error = (
            block.data - f.customer_bias[customers][rows] - f.product_bias[block.indices]
            - np.einsum("nd,nd->n", vectors[rows], q[position])
        )  # fmt: skip
        errors = sparse.csr_matrix((error, (rows, position)), shape=(len(customers), len(products)))
        rated = sparse.csr_matrix((np.ones_like(error), (rows, position)), shape=errors.shape)
        pull, squares = errors @ q, rated @ q**2
        n_rows, n_products = _sums(rated, 1), _sums(rated, 0)
        self._move(f.p, customers, pull, squares, n_rows)
        self._move(f.q, products, errors.T @ vectors, rated.T @ vectors**2, n_products)
        self._move(f.customer_bias, customers, _sums(errors, 1), n_rows, n_rows)
        self._move(f.product_bias, products, _sums(errors, 0), n_products, n_products)
        if self.config.implicit:
            everything = np.arange(self.ratings.n_products)
            share = np.full(len(everything), len(error) / len(everything))
            self._move(f.y, everything, implicit.T @ pull, implicit.power(2).T @ squares, share)

    def _move(
        self, table: Floats, rows: npt.NDArray[np.int64], pull: Floats, curvature: Floats, n: Floats
    ) -> None:
        """One step on some rows of a parameter. ``pull``: error times feature, ``curvature``: feature squared,
        each summed over the n ratings of a row. Dividing by 1 + rate · curvature (a proximal step on the
        diagonal) keeps a customer with hundreds of ratings from overshooting in a single step."""
        shrink = self.config.regularization * (n if table.ndim == 1 else n[:, None])
        table[rows] += self.rate * (pull - shrink * table[rows]) / (1.0 + self.rate * (curvature + shrink))

    def customer_vectors(self) -> Floats:
        """(n_customers, d)."""
        return np.asarray(self.factors.p + self.implicit @ self.factors.y, np.float64)

    def error(self, held: Ratings) -> float:
        """Mean squared error on other ratings, in units of ``scale``²."""
        f = self.factors
        found = (
            f.customer_bias[held.customers] + f.product_bias[held.products]
            + np.einsum("nd,nd->n", self.customer_vectors()[held.customers], f.q[held.products])
        )  # fmt: skip
        return float(np.mean(((held.values - self.overall) / self.scale - found) ** 2))


def _sums(matrix: sparse.csr_matrix, axis: int) -> Floats:
    return np.asarray(matrix.sum(axis=axis), np.float64).ravel()
