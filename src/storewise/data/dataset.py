"""The dataset: an immutable view of a shop up to a watermark, with integer ids inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.interactions import Histories, Interactions


@dataclass(frozen=True)
class Dataset:
    """What components train on.

    ``products``: one row for each product index, at least ``product_id`` (str); from a shop also title,
    category, brand, price_minor, currency, active. ``customer_ids``: the pseudonym of each customer index;
    indices beyond its length are anonymous sessions. ``interactions``: the positive behaviour models learn
    from. ``values``: the rating of each interaction, NaN where there is none, or None when the data have no
    ratings. ``watermark``: seconds; nothing later is inside. ``content`` (n_products, d): unit vectors of what
    the products are (zero where nothing is known), or None.

    >>> shop = Dataset.of([0, 0, 1], [0, 1, 1], n_customers=2, n_products=3)
    >>> shop.n_products, shop.product_ids[2]
    (3, '2')
    """

    products: pl.DataFrame
    customer_ids: Sequence[str]
    interactions: Interactions
    values: npt.NDArray[np.float32] | None = None
    watermark: float = 0.0
    name: str = "dataset"
    currency: str | None = None
    extra: dict[str, pl.DataFrame] = field(default_factory=dict)
    content: npt.NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        customers: npt.ArrayLike,
        products: npt.ArrayLike,
        *,
        n_customers: int,
        n_products: int,
        at: npt.ArrayLike | None = None,
        weight: npt.ArrayLike | None = None,
    ) -> Dataset:
        """From bare arrays, with ids "0", "1", … (tests, benchmarks, lists)."""
        behaviour = Interactions.build(
            customers, products, at=at, weight=weight, n_customers=n_customers, n_products=n_products
        )
        return cls.from_interactions(behaviour)

    @classmethod
    def from_interactions(cls, behaviour: Interactions) -> Dataset:
        """Wrap interactions that have no catalogue."""
        ids = pl.DataFrame({"product_id": [str(i) for i in range(behaviour.n_products)]})
        names = [str(i) for i in range(behaviour.n_customers)]
        return cls(ids, names, behaviour, watermark=behaviour.end)

    @property
    def n_products(self) -> int:
        return self.interactions.n_products

    @property
    def n_customers(self) -> int:
        return self.interactions.n_customers

    @cached_property
    def product_ids(self) -> list[str]:
        """Product id of each product index."""
        return self.products["product_id"].to_list()

    @cached_property
    def product_index(self) -> dict[str, int]:
        """Product index of each product id."""
        return {name: index for index, name in enumerate(self.product_ids)}

    @cached_property
    def customer_index(self) -> dict[str, int]:
        """Customer index of each pseudonym."""
        return {name: index for index, name in enumerate(self.customer_ids)}

    def with_interactions(
        self, interactions: Interactions, *, values: npt.NDArray[np.float32] | None = None
    ) -> Dataset:
        """The same shop with other behaviour (a training part, say)."""
        return replace(self, interactions=interactions, values=values, watermark=interactions.end)

    def with_content(self, vectors: npt.NDArray[np.float32] | None) -> Dataset:
        """The same shop with the products' content vectors."""
        return replace(self, content=vectors)

    def until(self, moment: float) -> Dataset:
        """Everything strictly before ``moment`` (seconds)."""
        rows = self.interactions.at < moment
        values = None if self.values is None else self.values[rows]
        return replace(
            self, interactions=self.interactions.select(rows), values=values, watermark=float(moment)
        )

    def histories(self, customers: npt.ArrayLike, *, now: npt.ArrayLike | None = None) -> Histories:
        """See :meth:`Interactions.histories`."""
        return self.interactions.histories(customers, now=now)
