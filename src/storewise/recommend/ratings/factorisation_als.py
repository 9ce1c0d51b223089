"""Biased matrix factorisation by alternating closed-form steps that keep their uncertainty.

rating ≈ overall + b_u + c_i + p_u·q_i. Each alternating step of ALS is a Bayesian linear regression; keeping
its covariance (variational Bayes, Lim and Teh 2007) lets noise and priors be learned from the data instead of
tuned, so that the model doesn't overfit customers with few ratings. The priors' means follow from who rated
what (see ``implicit_prior``).
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
from storewise.recommend.ratings.implicit_prior import ImplicitPrior
from storewise.recommend.ratings.table import Floats, Ratings

ROWS_AT_ONCE = 4096
WARM_UP = 3  # sweeps before noise and priors are learned: at first the factors are random


class AlsConfig(RatingConfig):
    """``implicit``: ridge strength of the implicit priors, smaller follows them more; 0 turns them off."""

    embedding_size: int = Field(20, ge=1)
    epochs: int = Field(20, ge=1)
    implicit: float = Field(3.0, ge=0.0)


@dataclass
class Side:
    """The Gaussian belief about one side. Column d - 1 of ``mean`` (n, d) is the bias, the others are
    factors; ``covariance`` (n, d, d); prior N(``prior_mean`` (n, d), ``prior_precision``⁻¹ (d, d))."""

    mean: Floats
    covariance: Floats
    prior_mean: Floats
    prior_precision: Floats

    @classmethod
    def start(cls, bias: Floats, size: int, rng: np.random.Generator) -> Side:
        n, d = len(bias), size + 1
        mean = np.column_stack([rng.normal(0.0, 0.1, (n, size)), bias])
        return cls(mean, np.tile(0.01 * np.eye(d), (n, 1, 1)), np.zeros((n, d)), 10.0 * np.eye(d))

    @property
    def features(self) -> Floats:
        """(n, d): what the other side's vectors are multiplied with: the factors and a 1 for its bias."""
        return np.column_stack([self.mean[:, :-1], np.ones(len(self.mean))])

    def update(self, rated: sparse.csr_matrix, centred: sparse.csr_matrix, other: Side, noise: float) -> None:
        """The posterior given the other side. ``rated`` holds 1 and ``centred`` the rating less the overall
        mean at the rated pairs, both (n, m)."""
        n, d = self.mean.shape
        x = other.features
        spread = other.covariance.copy()
        shared = spread[:, :, -1].copy()  # factors and bias of the other side are uncertain together
        shared[:, -1] = 0.0
        spread[:, -1, :] = spread[:, :, -1] = 0.0
        second = (x[:, :, None] * x[:, None, :] + spread).reshape(len(x), d * d)
        target = centred @ x - rated @ (x * other.mean[:, -1:] + shared)
        linear = target / noise + self.prior_mean @ self.prior_precision
        for start in range(0, n, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            precision = (rated[part] @ second).reshape(-1, d, d) / noise + self.prior_precision
            self.covariance[part] = np.linalg.inv(precision)
            self.mean[part] = np.einsum("nde,ne->nd", self.covariance[part], linear[part])

    def learn_prior(self, implicit: ImplicitPrior | None) -> None:
        """Prior mean and covariance from the beliefs of all rows (empirical Bayes)."""
        n, d = self.mean.shape
        centre = np.broadcast_to(self.mean.mean(axis=0), (n, d))
        self.prior_mean = centre if implicit is None else centre + implicit.smooth(self.mean - centre)
        apart = self.mean - self.prior_mean
        spread = (apart.T @ apart + self.covariance.sum(axis=0) + 1e-3 * np.eye(d)) / n
        self.prior_precision = np.linalg.inv(spread)


class AlsFactorisation(RatingPredictor[AlsConfig]):
    """Learns customers and products in turn, each in closed form.

    >>> rng = np.random.default_rng(0)
    >>> taste, kind = rng.choice([-1, 1], 60), rng.choice([-1, 1], 40)
    >>> who, what = np.nonzero(rng.random((60, 40)) < 0.5)
    >>> table = Ratings.build(who, what, 3 + taste[who] * kind[what], n_customers=60, n_products=40)
    >>> model = AlsFactorisation(AlsConfig(embedding_size=2))
    >>> model.train_on(table, rng=rng)
    >>> everyone, everything = np.meshgrid(np.arange(60), np.arange(40), indexing="ij")
    >>> found = model.predict(everyone.ravel(), everything.ravel()).value
    >>> bool(np.abs(found - 3 - np.outer(taste, kind).ravel()).max() < 0.2)
    True
    """

    Config = AlsConfig
    _customers: Floats  # (n_customers, d)
    _products: Floats  # (n_products, d)
    _scale: float

    def fit(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        self._scale = float(ratings.values.std()) or 1.0
        centred = (ratings.values - self.means.overall) / self._scale
        rated, values = ratings.matrix(), ratings.matrix(centred)
        rated_by, values_by = rated.T.tocsr(), values.T.tocsr()
        size, strength = self.config.embedding_size, self.config.implicit
        customers = Side.start(self.means.customer / self._scale, size, rng)
        products = Side.start(self.means.product / self._scale, size, rng)
        about_customers = ImplicitPrior(rated, strength=strength) if strength else None
        about_products = ImplicitPrior(rated_by, strength=strength) if strength else None
        noise = 0.7
        for epoch in progress.track(range(self.config.epochs), label="rating factors (ALS)"):
            customers.update(rated, values, products, noise)
            if epoch >= WARM_UP:
                customers.learn_prior(about_customers)
            products.update(rated_by, values_by, customers, noise)
            if epoch >= WARM_UP:
                products.learn_prior(about_products)
                noise = max(expected_error(rated, ratings, centred, customers, products), 1e-4)
        self._customers, self._products = customers.mean, products.mean

    def estimate(self, customers: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> Floats:
        found = _score(self._customers[customers], self._products[products])
        return self.means.overall + self._scale * found

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        return {"customers": self._customers, "products": self._products, "scale": np.array(self._scale)}

    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._customers, self._products = state["customers"], state["products"]
        self._scale = float(state["scale"])


def expected_error(
    rated: sparse.csr_matrix, ratings: Ratings, centred: Floats, customers: Side, products: Side
) -> float:
    """Mean over the ratings of E[(rating - model)²] under both sides' beliefs: the noise estimate."""
    error = centred - _score(customers.mean[ratings.customers], products.mean[ratings.products])
    x, y = customers.features, products.features
    total = float(error @ error)
    total += _paired(rated, customers.covariance, y[:, :, None] * y[:, None, :])
    total += _paired(rated, x[:, :, None] * x[:, None, :], products.covariance)
    total += _paired(rated, customers.covariance[:, :-1, :-1], products.covariance[:, :-1, :-1])
    return total / len(ratings)


def _paired(rated: sparse.csr_matrix, left: Floats, right: Floats) -> float:
    """Σ over rated (u, i) of trace(left_u right_i), for symmetric (n, d, d) and (m, d, d)."""
    flat_left, flat_right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    return float(
        sum(
            np.vdot(rated[start : start + ROWS_AT_ONCE] @ flat_right, flat_left[start : start + ROWS_AT_ONCE])
            for start in range(0, len(left), ROWS_AT_ONCE)
        )
    )


def _score(customers: Floats, products: Floats) -> Floats:
    """b + c + p·q for aligned rows (b, d) whose last column is the bias."""
    factors = np.einsum("nd,nd->n", customers[:, :-1], products[:, :-1])
    return np.asarray(customers[:, -1] + products[:, -1] + factors, np.float64)
