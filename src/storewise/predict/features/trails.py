"""What shoppers did up to their moments: trails, and the purchases in them as orders.

Features read :class:`Trails` only, and a trail holds nothing at or after its ``now``: a later event cannot change
a feature, because it is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DAY_S = 86_400.0
ORDER_GAP_S = 3_600.0  # purchases of a shopper no further apart than this are one order
KINDS = ("impression", "view", "click", "cart", "purchase", "return", "rating")
CODE = {kind: code for code, kind in enumerate(KINDS)}
PURCHASE, RETURN = CODE["purchase"], CODE["return"]


@dataclass(frozen=True)
class Trails:
    """b shoppers, each with what happened strictly before its ``now`` (b,), oldest first.

    ``indptr`` (b + 1,), the rest (nnz,). ``customers`` (b,): -1 for somebody unknown. A trail may be empty.
    """

    indptr: Ints
    products: Ints
    kinds: npt.NDArray[np.int8]
    at: Floats
    quantity: Floats
    spend_minor: Floats
    now: Floats
    customers: Ints

    @classmethod
    def single(
        cls,
        products: Sequence[int] | Ints,
        kinds: Sequence[int] | npt.NDArray[np.int8],
        at: Sequence[float] | Floats,
        quantity: Sequence[float] | Floats,
        spend_minor: Sequence[float] | Floats,
        *,
        now: float,
        customer: int = -1,
    ) -> Trails:
        """One live shopper; events may come in any order, and those not before ``now`` are left out.

        >>> Trails.single([3, 4], [4, 4], [5.0, 9.0], [1, 1], [100.0, 100.0], now=9.0).products.tolist()
        [3]
        """
        when = np.asarray(at, np.float64)
        order = np.argsort(when, kind="stable")
        order = order[when[order] < now]
        return cls(
            np.array([0, len(order)]), np.asarray(products, np.int64)[order],
            np.asarray(kinds, np.int8)[order], when[order], np.asarray(quantity, np.float64)[order],
            np.asarray(spend_minor, np.float64)[order], np.array([now]), np.array([customer], np.int64),
        )  # fmt: skip

    def __post_init__(self) -> None:
        if len(self.at) and not (self.at < self.now[self.rows]).all():
            raise DataError(
                "A trail holds an event at or after its moment.",
                next_step="Make it with EventLog.trails or Trails.single, which cut it.",
            )

    def __len__(self) -> int:
        return len(self.now)

    @cached_property
    def rows(self) -> Ints:
        """(nnz,): the shopper of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @cached_property
    def age_days(self) -> Floats:
        """(nnz,): days from each event to its shopper's now."""
        return (self.now[self.rows] - self.at) / DAY_S

    def of_kind(self, *kinds: int) -> Trails:
        """Only events of these kinds."""
        return self.where(np.isin(self.kinds, kinds))

    def where(self, kept: Mask) -> Trails:
        """Only the events of a mask (nnz,)."""
        counts = np.bincount(self.rows[kept], minlength=len(self))
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            products=self.products[kept], kinds=self.kinds[kept], at=self.at[kept],
            quantity=self.quantity[kept], spend_minor=self.spend_minor[kept],
        )  # fmt: skip

    @cached_property
    def orders(self) -> Orders:
        """The purchases as orders."""
        return Orders.of(self.of_kind(PURCHASE))


@dataclass(frozen=True)
class Orders:
    """Purchases of b shoppers as orders (m,): an order ends when an hour passes without a purchase.

    ``indptr`` (b + 1,); ``rows`` (m,) the shopper; ``at`` its first purchase; ``value_minor`` (NaN: no price
    known), ``lines``, ``units``; ``line_order`` (nnz,): the order of each purchase of ``lines_of``.
    """

    lines_of: Trails
    indptr: Ints
    rows: Ints
    at: Floats
    value_minor: Floats
    lines: Floats
    units: Floats
    line_order: Ints

    @classmethod
    def of(cls, bought: Trails) -> Orders:
        """Of trails that hold purchases alone."""
        rows, at = bought.rows, bought.at
        fresh = np.ones(len(at), bool)
        fresh[1:] = (rows[1:] != rows[:-1]) | (np.diff(at) > ORDER_GAP_S)
        line_order = np.cumsum(fresh).astype(np.int64) - 1
        m = int(fresh.sum())
        owner = rows[fresh]
        counts = np.bincount(owner, minlength=len(bought))
        priced = np.bincount(line_order, np.isfinite(bought.spend_minor), minlength=m) > 0
        value = np.bincount(line_order, np.nan_to_num(bought.spend_minor), minlength=m)
        return cls(
            bought,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            owner, at[fresh], np.where(priced, value, np.nan),
            np.bincount(line_order, minlength=m).astype(np.float64),
            np.bincount(line_order, bought.quantity, minlength=m).astype(np.float64), line_order,
        )  # fmt: skip

    @cached_property
    def count(self) -> Floats:
        """(b,): how many orders."""
        return np.diff(self.indptr).astype(np.float64)

    @cached_property
    def age_days(self) -> Floats:
        """(m,): days from each order to its shopper's now."""
        return (self.lines_of.now[self.rows] - self.at) / DAY_S
