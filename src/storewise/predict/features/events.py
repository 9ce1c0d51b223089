"""What shoppers did, as arrays that are cut at a moment before anything is computed from them.

Features read :class:`Trails` only, and a trail holds nothing at or after its ``now``: a later event cannot change
a feature, because it is not there. A live shopper is a trail of one row, so serving runs the code of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DAY_S = 86_400.0
ORDER_GAP_S = 3_600.0  # purchases of a shopper no further apart than this are one order
KINDS = ("impression", "view", "click", "cart", "purchase", "return", "rating")
CODE = {kind: code for code, kind in enumerate(KINDS)}
PURCHASE, RETURN = CODE["purchase"], CODE["return"]


@dataclass(frozen=True)
class EventLog:
    """All events of a shop, sorted by (customer, time); all arrays (nnz,).

    ``customers`` -1 is somebody nobody can recognise; indices from ``n_customers`` on are anonymous sessions.
    ``kinds`` index ``KINDS``. ``spend_minor``: quantity × unit price, NaN where the price is unknown.

    >>> log = EventLog.build([0, 0], [1, 2], [10.0, 5.0], n_customers=1, n_products=3)
    >>> log.products.tolist()
    [2, 1]
    """

    customers: Ints
    products: Ints
    kinds: npt.NDArray[np.int8]
    at: Floats
    quantity: Floats
    spend_minor: Floats
    n_customers: int
    n_products: int

    @classmethod
    def build(
        cls,
        customers: npt.ArrayLike,
        products: npt.ArrayLike,
        at: npt.ArrayLike,
        *,
        n_customers: int,
        n_products: int,
        kinds: npt.ArrayLike | None = None,
        quantity: npt.ArrayLike | None = None,
        spend_minor: npt.ArrayLike | None = None,
    ) -> EventLog:
        """Sort; kinds default to purchases, quantities to 1, spending to unknown."""
        who, when = np.asarray(customers, np.int64), np.asarray(at, np.float64)
        n = len(who)
        what = np.full(n, PURCHASE, np.int8) if kinds is None else np.asarray(kinds, np.int8)
        units = np.ones(n) if quantity is None else np.asarray(quantity, np.float64)
        spent = np.full(n, np.nan) if spend_minor is None else np.asarray(spend_minor, np.float64)
        order = np.lexsort((when, who))
        return cls(
            who[order], np.asarray(products, np.int64)[order], what[order], when[order], units[order],
            spent[order], n_customers, n_products,
        )  # fmt: skip

    @classmethod
    def of(cls, shop: Dataset) -> EventLog:
        """Of a shop's events; a dataset without any (bare lists) counts its interactions as purchases."""
        known = len(shop.customer_ids)
        if "events" not in shop.extra:
            rows = shop.interactions
            return cls.build(
                rows.customers, rows.products, rows.at, n_customers=known, n_products=shop.n_products
            )
        events = shop.extra["events"]
        units = events["quantity"].fill_null(1).cast(pl.Float64).to_numpy()
        price = events["unit_price_minor"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        names = events["kind"].cast(pl.String).replace_strict(CODE, default=len(KINDS), return_dtype=pl.Int8)
        return cls.build(
            events["customer"].to_numpy(), events["product"].to_numpy(), events["at"].to_numpy(),
            kinds=names.to_numpy(), quantity=units, spend_minor=units * price,
            n_customers=known, n_products=shop.n_products,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def indptr(self) -> Ints:
        """(n_customers + 1,): customer c owns rows indptr[c]:indptr[c + 1]."""
        return np.searchsorted(self.customers, np.arange(self.n_customers + 1)).astype(np.int64)

    @cached_property
    def start(self) -> float:
        """The time of the first event, 0 when there is none."""
        return float(self.at.min()) if len(self) else 0.0

    @cached_property
    def end(self) -> float:
        """The time of the last event, 0 when there is none."""
        return float(self.at.max()) if len(self) else 0.0

    def select(self, rows: Mask) -> EventLog:
        """The rows of a mask."""
        return EventLog(
            self.customers[rows], self.products[rows], self.kinds[rows], self.at[rows],
            self.quantity[rows], self.spend_minor[rows], self.n_customers, self.n_products,
        )  # fmt: skip

    def before(self, moment: float) -> EventLog:
        """Everything strictly before ``moment``."""
        return self.select(self.at < moment)

    def between(self, start: float, stop: float, kind: int = PURCHASE) -> EventLog:
        """Events of a kind in [start, stop)."""
        return self.select((self.at >= start) & (self.at < stop) & (self.kinds == kind))

    def trails(self, customers: npt.ArrayLike, now: npt.ArrayLike) -> Trails:
        """What each of these customers (b,) did strictly before ``now`` (scalar or (b,))."""
        who = np.asarray(customers, np.int64)
        moments = np.broadcast_to(np.asarray(now, np.float64), who.shape)
        known = (who >= 0) & (who < self.n_customers)
        safe = np.where(known, who, 0)
        starts, stops = (self.indptr[safe], self.indptr[safe + 1]) if self.n_customers else (safe, safe)
        lengths = np.where(known, stops - starts, 0)
        borders = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.repeat(starts - borders[:-1], lengths) + np.arange(borders[-1])
        owner = np.repeat(np.arange(len(who)), lengths)
        kept = self.at[rows] < moments[owner]
        rows, owner = rows[kept], owner[kept]
        return Trails(
            np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(who)))]).astype(np.int64),
            self.products[rows], self.kinds[rows], self.at[rows], self.quantity[rows],
            self.spend_minor[rows], moments, who,
        )  # fmt: skip


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
