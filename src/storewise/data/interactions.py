"""Behaviour as arrays: who acted on which product when, and the histories that models score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import DataError

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]
DAY_S = 86_400.0


@dataclass(frozen=True)
class Interactions:
    """Positive behaviour, sorted by (customer, time). All arrays have shape (nnz,).

    ``at`` is in seconds; where only the order is known it is 0, 1, 2 … per customer, and where not even the
    order is known (``ordered`` false) it is 0 everywhere. ``weight`` is 1 unless the data say otherwise
    (a quantity, a rating). A customer index may also stand for an anonymous session. The same customer and
    product may occur many times.

    >>> Interactions.build([1, 0, 0], [5, 2, 3], at=[9, 2, 1], n_customers=2, n_products=6).products.tolist()
    [3, 2, 5]
    """

    customers: Ints
    products: Ints
    at: Floats
    weight: Weights
    n_customers: int
    n_products: int
    ordered: bool = True

    @classmethod
    def build(
        cls,
        customers: npt.ArrayLike,
        products: npt.ArrayLike,
        *,
        n_customers: int,
        n_products: int,
        at: npt.ArrayLike | None = None,
        weight: npt.ArrayLike | None = None,
        ordered: bool | None = None,
    ) -> Interactions:
        """Sort and check. Without ``at`` the behaviour counts as unordered.

        Raises:
            DataError: when an index is outside its range or the lengths differ.
        """
        who = np.asarray(customers, dtype=np.int32)
        what = np.asarray(products, dtype=np.int32)
        when = np.zeros(len(who)) if at is None else np.asarray(at, dtype=np.float64)
        much = np.ones(len(who), np.float32) if weight is None else np.asarray(weight, dtype=np.float32)
        if not len(who) == len(what) == len(when) == len(much):
            raise DataError(
                f"Interaction arrays differ in length: {len(who)}, {len(what)}, {len(when)}, {len(much)}.",
                next_step="Give one entry for each event in all of them.",
            )
        _check_range("customer", who, n_customers)
        _check_range("product", what, n_products)
        order = np.lexsort((when, who))
        return cls(
            who[order], what[order], when[order], much[order], n_customers, n_products,
            at is not None if ordered is None else ordered,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.customers)

    @cached_property
    def indptr(self) -> npt.NDArray[np.int64]:
        """(n_customers + 1,): customer c owns rows indptr[c]:indptr[c + 1]."""
        counts = np.bincount(self.customers, minlength=self.n_customers)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """(n_customers, n_products) float32: 1 where the customer ever acted on the product."""
        ones = np.ones(len(self), np.float32)
        shape = (self.n_customers, self.n_products)
        found = sparse.csr_matrix((ones, (self.customers, self.products)), shape=shape)
        found.sum_duplicates()
        found.data[:] = 1.0
        return found

    @cached_property
    def counts(self) -> sparse.csr_matrix:
        """(n_customers, n_products) float32: sum of the weights."""
        shape = (self.n_customers, self.n_products)
        found = sparse.csr_matrix((self.weight, (self.customers, self.products)), shape=shape)
        found.sum_duplicates()
        return found

    @cached_property
    def popularity(self) -> npt.NDArray[np.int64]:
        """(n_products,): number of different customers of each product."""
        return np.bincount(self.matrix.indices, minlength=self.n_products).astype(np.int64)

    @cached_property
    def end(self) -> float:
        """The time of the last event, 0 when there is none."""
        return float(self.at.max()) if len(self) else 0.0

    def select(self, rows: npt.NDArray[np.bool_]) -> Interactions:
        """The rows of a mask, over the same customers and products."""
        return Interactions(
            self.customers[rows], self.products[rows], self.at[rows], self.weight[rows],
            self.n_customers, self.n_products, self.ordered,
        )  # fmt: skip

    def latest(self, days: float | None) -> Interactions:
        """The events of the last so many days before ``end``, over the same customers and products (None: all).

        >>> shop = Interactions.build([0, 0], [0, 1], at=[0, 2 * DAY_S], n_customers=1, n_products=2)
        >>> shop.latest(1).products.tolist(), len(shop.latest(None))
        ([1], 2)
        """
        return self if days is None else self.select(self.at >= self.end - days * DAY_S)

    def histories(self, customers: npt.ArrayLike, *, now: npt.ArrayLike | None = None) -> Histories:
        """What these customers did, in time order. ``now`` (scalar or (b,)) defaults to the end of the
        data; a learner that decays by time uses gaps to ``now``, one that decays by order ``recency``.

        >>> Interactions.build([0, 0], [2, 3], at=[0, 1], n_customers=1, n_products=4).histories([0]).products
        array([2, 3], dtype=int32)
        """
        who = np.asarray(customers, dtype=np.int32)
        starts, stops = self.indptr[who], self.indptr[who + 1]
        lengths = stops - starts
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        moment = np.broadcast_to(np.asarray(self.end if now is None else now, float), who.shape)
        return Histories(
            indptr, self.products[rows], self.at[rows], self.weight[rows], who, moment, self.n_products
        )


@dataclass(frozen=True)
class Histories:
    """A batch of b shoppers to score: what each did up to ``now``, oldest first.

    ``indptr`` (b + 1,), ``products``/``at``/``weight`` (nnz,), ``customers`` (b,) with -1 for a shopper whom
    training has not seen, ``now`` (b,) seconds. A history may be empty.
    """

    indptr: npt.NDArray[np.int64]
    products: Ints
    at: Floats
    weight: Weights
    customers: Ints
    now: Floats
    n_products: int

    @classmethod
    def single(
        cls,
        products: npt.ArrayLike,
        *,
        n_products: int,
        at: npt.ArrayLike | None = None,
        weight: npt.ArrayLike | None = None,
        customer: int = -1,
        now: float | None = None,
    ) -> Histories:
        """One shopper. Without ``at`` the products count as bought one tick after the other.

        >>> Histories.single([4, 2], n_products=5).rows.tolist()
        [0, 0]
        """
        what = np.asarray(products, dtype=np.int32)
        when = np.arange(len(what), dtype=float) if at is None else np.asarray(at, dtype=np.float64)
        much = np.ones(len(what), np.float32) if weight is None else np.asarray(weight, dtype=np.float32)
        moment = now if now is not None else (float(when.max()) if len(when) else 0.0)
        return cls(
            np.array([0, len(what)]), what, when, much,
            np.array([customer], np.int32), np.array([moment]), n_products,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.customers)

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """(nnz,): the batch row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What others have worked out of these histories and will ask again, by their own names."""
        return {}

    @cached_property
    def recency(self) -> npt.NDArray[np.int64]:
        """(nnz,): 0 for a shopper's last entry, 1 for the one before, …"""
        last = np.repeat(self.indptr[1:], np.diff(self.indptr))
        return last - 1 - np.arange(len(self.products))

    def matrix(self, weight: npt.ArrayLike | None = None) -> sparse.csr_matrix:
        """(b, n_products) float32; repeated products add up. Default weight 1 for each different product."""
        shape = (len(self), self.n_products)
        data = np.ones(len(self.products), np.float32) if weight is None else np.asarray(weight, np.float32)
        found = sparse.csr_matrix((data, (self.rows, self.products)), shape=shape)
        found.sum_duplicates()
        if weight is None:
            found.data[:] = 1.0
        return found

    def batches(self, size: int) -> list[Histories]:
        """Consecutive parts of at most ``size`` shoppers."""
        return [self.part(start, min(start + size, len(self))) for start in range(0, len(self), size)]

    def take(self, rows: npt.ArrayLike) -> Histories:
        """These shoppers, in this order.

        >>> Histories.single([4, 2], n_products=5).take([0, 0]).products.tolist()
        [4, 2, 4, 2]
        """
        chosen = np.asarray(rows, dtype=np.int64)
        lengths = np.diff(self.indptr)[chosen]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat = np.repeat(self.indptr[chosen] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Histories(
            indptr, self.products[flat], self.at[flat], self.weight[flat],
            self.customers[chosen], self.now[chosen], self.n_products,
        )  # fmt: skip

    def part(self, start: int, stop: int) -> Histories:
        """Shoppers start … stop - 1."""
        low, high = self.indptr[start], self.indptr[stop]
        return Histories(
            self.indptr[start : stop + 1] - low, self.products[low:high], self.at[low:high],
            self.weight[low:high], self.customers[start:stop], self.now[start:stop], self.n_products,
        )  # fmt: skip


def _check_range(what: str, found: Ints, size: int) -> None:
    if len(found) and (found.min() < 0 or found.max() >= size):
        raise DataError(
            f"A {what} index is {int(found.min())} or {int(found.max())}, allowed are 0 to {size - 1}.",
            next_step=f"Encode the ids first, or raise n_{what}s.",
        )
