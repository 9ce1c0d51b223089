"""Shrunken means: how high everybody rates, how high this customer, how high this product is rated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.recommend.ratings.table import Floats, Ints, Ratings


@dataclass(frozen=True)
class Means:
    """rating ≈ overall + customer + product (Koren 2010, "Factor in the Neighbors", baseline estimates).

    ``customer`` (n_customers,) and ``product`` (n_products,) are deviations from ``overall``, shrunken
    towards 0 as if each had ``shrinkage`` ratings at the mean besides its own; one without ratings has 0.

    >>> table = Ratings.build([0, 0, 1, 1], [0, 1, 0, 1], [5, 3, 3, 1], n_customers=2, n_products=2)
    >>> Means.fit(table, shrinkage=0.0).at(np.array([0]), np.array([0]))
    array([5.])
    """

    overall: float
    customer: Floats
    product: Floats

    @classmethod
    def fit(cls, ratings: Ratings, *, shrinkage: float = 4.0, sweeps: int = 15) -> Means:
        """Alternating ridge regressions; converges within a dozen sweeps on real data."""
        overall = ratings.mean
        who, what = ratings.customers, ratings.products
        customer, product = np.zeros(ratings.n_customers), np.zeros(ratings.n_products)
        per_customer = np.maximum(ratings.customer_counts + shrinkage, 1e-12)
        per_product = np.maximum(ratings.product_counts + shrinkage, 1e-12)
        centred = ratings.values - overall
        for _ in range(sweeps):
            product = np.bincount(what, centred - customer[who], ratings.n_products) / per_product
            customer = np.bincount(who, centred - product[what], ratings.n_customers) / per_customer
        return cls(overall, customer, product)

    def at(self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer]) -> Floats:
        """The estimate for pairs (b,); an index outside the known range adds nothing."""
        customer = np.where(_known(customers, self.customer), self.customer.take(customers, mode="clip"), 0.0)
        product = np.where(_known(products, self.product), self.product.take(products, mode="clip"), 0.0)
        return np.asarray(self.overall + customer + product, np.float64)

    def residuals(self, ratings: Ratings) -> Floats:
        """(nnz,): what the means leave unexplained."""
        return ratings.values - self.at(ratings.customers, ratings.products)

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        return {
            "mean_overall": np.array(self.overall),
            "mean_customer": self.customer,
            "mean_product": self.product,
        }

    @classmethod
    def restore(cls, state: dict[str, Floats]) -> Means:
        return cls(float(state["mean_overall"]), state["mean_customer"], state["mean_product"])


def _known(index: npt.NDArray[np.integer] | Ints, table: Floats) -> npt.NDArray[np.bool_]:
    return (index >= 0) & (index < len(table))
