"""The ratings that predictors learn from: one number for each customer and product, with its scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratings:
    """``customers``, ``products``, ``values``: (nnz,), each pair at most once. ``low``/``high``: the scale.

    >>> table = Ratings.build([0, 0, 1], [0, 1, 1], [5, 3, 1], n_customers=2, n_products=2)
    >>> table.mean, (table.low, table.high), table.product_counts.tolist()
    (3.0, (1.0, 5.0), [1, 2])
    """

    customers: Ints
    products: Ints
    values: Floats
    n_customers: int
    n_products: int
    low: float
    high: float

    @classmethod
    def build(
        cls,
        customers: npt.ArrayLike,
        products: npt.ArrayLike,
        values: npt.ArrayLike,
        *,
        n_customers: int,
        n_products: int,
    ) -> Ratings:
        """Of a pair rated several times the last one counts; NaN values are left out.

        Raises:
            DataError: when no rating remains.
        """
        who, what = np.asarray(customers, np.int32), np.asarray(products, np.int32)
        much = np.asarray(values, np.float64)
        rated = np.isfinite(much)
        who, what, much = who[rated], what[rated], much[rated]
        if len(much) == 0:
            raise DataError(
                f"There are 0 ratings among {len(rated)} events; rating prediction needs at least 1.",
                next_step="Give events of kind 'rating' with a value, or use a retriever instead.",
            )
        pair = who.astype(np.int64) * n_products + what
        _, last = np.unique(pair[::-1], return_index=True)
        keep = len(pair) - 1 - last
        return cls(
            who[keep], what[keep], much[keep], n_customers, n_products, float(much.min()), float(much.max())
        )

    @classmethod
    def of(cls, dataset: Dataset) -> Ratings:
        """The ratings of a dataset (``dataset.values``).

        Raises:
            DataError: when the dataset carries no ratings.
        """
        behaviour = dataset.interactions
        values = dataset.values
        if values is None:
            values = np.full(len(behaviour), np.nan, np.float32)
        return cls.build(
            behaviour.customers,
            behaviour.products,
            values,
            n_customers=behaviour.n_customers,
            n_products=behaviour.n_products,
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @cached_property
    def customer_counts(self) -> npt.NDArray[np.int64]:
        """(n_customers,): ratings of each customer."""
        return np.bincount(self.customers, minlength=self.n_customers).astype(np.int64)

    @cached_property
    def product_counts(self) -> npt.NDArray[np.int64]:
        """(n_products,): ratings of each product."""
        return np.bincount(self.products, minlength=self.n_products).astype(np.int64)

    def matrix(self, values: npt.NDArray[np.float64] | None = None) -> sparse.csr_matrix:
        """(n_customers, n_products) with ``values`` (nnz,) at the rated pairs, 1 by default."""
        data = np.ones(len(self)) if values is None else values
        return sparse.csr_matrix(
            (data, (self.customers, self.products)), shape=(self.n_customers, self.n_products)
        )

    def select(self, rows: npt.NDArray[np.bool_]) -> Ratings:
        """The rows of a mask, on the same scale, over the same customers and products."""
        return Ratings(
            self.customers[rows], self.products[rows], self.values[rows],
            self.n_customers, self.n_products, self.low, self.high,
        )  # fmt: skip

    def hold_out(
        self, share: float, rng: np.random.Generator, *, at_most: int = 20_000
    ) -> tuple[Ratings, Ratings]:
        """A random part aside: (kept, held). At least one rating is kept; ``held`` may be empty."""
        n_held = min(int(share * len(self)), at_most, len(self) - 1)
        held = np.zeros(len(self), bool)
        held[rng.permutation(len(self))[:n_held]] = True
        return self.select(~held), self.select(held)
