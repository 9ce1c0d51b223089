"""Moments of a shop: a shopper, a product and what had happened before, with what came of it.

For every event (or a sample of them) one row says what the shopper did next, and some say what they did not: products
drawn from all earlier events of the shop, so that a product is drawn as often as it was sold until then. Where products
have ratings, every rating is a row of its own and nothing is drawn. Features look at earlier moments alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.data.interactions import DAY_S, Interactions
from storewise.predict.base import MISSING, Labelled, Rows

Index = npt.NDArray[np.int64]
NUMBERS = (
    "product's events before", "product's events of late", "shopper's events before",
    "days since the shopper's last", "shopper's events of this product", "days since the shopper's last of it",
)  # fmt: skip
LATE_DAYS = 28.0


class MomentsConfig(Config):
    """``length`` of histories; ``negatives`` a positive; ``least`` earlier events of the shopper that a row needs;
    ``most`` rows, drawn by chance from all; ``good``: ratings from it on are positive."""

    length: int = Field(default=30, ge=1)
    negatives: int = Field(default=4, ge=1)
    least: int = Field(default=1, ge=0)
    most: int = Field(default=60_000, ge=10)
    good: float = 4.0


@dataclass(frozen=True)
class Moments:
    """``labelled`` rows, oldest first; ``at`` (n,) seconds; ``customers`` (n,)."""

    labelled: Labelled
    at: npt.NDArray[np.float64]
    customers: Index


class Past:
    """What had happened before a moment, by binary search in sorted events; the same moment is not before.

    >>> past = Past(Interactions.build([0, 0], [1, 2], at=[10, 20], n_customers=1, n_products=3))
    >>> past.history(np.array([0]), past.rank(np.array([20.0])), 2).tolist()
    [[-1, 1]]
    """

    def __init__(self, events: Interactions) -> None:
        self.events = events
        self.times, ranks = np.unique(events.at, return_inverse=True)
        self._span = np.int64(len(self.times) + 1)
        who, what = events.customers.astype(np.int64), events.products.astype(np.int64)
        self._by_customer = who * self._span + ranks  # already rising: events are sorted so
        self._by_product = np.sort(what * self._span + ranks)
        self._pair_of = np.int64(events.n_products)
        self._by_pair = np.sort((who * self._pair_of + what) * self._span + ranks)
        self.in_time = np.argsort(events.at, kind="stable")
        self._sorted_at = events.at[self.in_time]

    def rank(self, at: npt.NDArray[np.float64]) -> Index:
        """The number of different moments before ``at`` (n,)."""
        return np.searchsorted(self.times, at, side="left").astype(np.int64)

    def events_before(self, at: npt.NDArray[np.float64]) -> Index:
        """The number of events before ``at``: places of :attr:`in_time` below it are earlier."""
        return np.searchsorted(self._sorted_at, at, side="left").astype(np.int64)

    def of_product(self, products: Index, rank: Index) -> Index:
        """(n,) events of each product before."""
        return self._count(self._by_product, products, rank)[1]

    def of_pair(
        self, customers: Index, products: Index, rank: Index
    ) -> tuple[Index, npt.NDArray[np.float64]]:
        """(n,) events of this shopper with this product before, and the time of the last (NaN: none)."""
        ends, counts = self._count(self._by_pair, customers * self._pair_of + products, rank)
        return counts, self._last(self._by_pair, ends, counts)

    def of_customer(self, customers: Index, rank: Index) -> tuple[Index, npt.NDArray[np.float64]]:
        """(n,) events of the shopper before, and the time of the last (NaN: none)."""
        ends, counts = self._count(self._by_customer, customers, rank)
        return counts, self._last(self._by_customer, ends, counts)

    def history(self, customers: Index, rank: Index, length: int) -> npt.NDArray[np.int32]:
        """(n, length) products before, the latest on the right, ``MISSING`` where there is none."""
        ends, counts = self._count(self._by_customer, customers, rank)
        places = ends[:, None] - length + np.arange(length)
        there = places >= (ends - counts)[:, None]
        return np.where(there, self.events.products[np.where(there, places, 0)], MISSING).astype(np.int32)

    def _count(self, keys: Index, who: Index, rank: Index) -> tuple[Index, Index]:
        ends = np.searchsorted(keys, who * self._span + rank, side="left")
        return ends, ends - np.searchsorted(keys, who * self._span, side="left")

    def _last(self, keys: Index, ends: Index, counts: Index) -> npt.NDArray[np.float64]:
        found = self.times[keys[np.maximum(ends - 1, 0)] % self._span]
        return np.where(counts > 0, found, np.nan)


def moments(
    events: Interactions,
    config: MomentsConfig,
    *,
    rng: np.random.Generator,
    ratings: npt.NDArray[np.float32] | None = None,
    categories: npt.NDArray[np.int32] | None = None,
) -> Moments:
    """Rows of a shop. ``ratings`` (nnz,) of the events; ``categories`` (n_products,) codes from 1, 0 for none.

    Raises:
        DataError: for events without an order, or when no row is left.
    """
    if not events.ordered or not len(events):
        raise DataError(
            "The events have no times.", next_step="Give events with times; moments need a before."
        )
    past = Past(events)
    rated = ratings is not None and bool(np.isfinite(ratings).any())
    who, what, at, labels = _asked(events, past, config, ratings if rated else None, rng)
    enough = past.of_customer(who, past.rank(at))[0] >= config.least
    who, what, at, labels = who[enough], what[enough], at[enough], labels[enough]
    if len(labels) > config.most:
        kept = np.sort(rng.choice(len(labels), config.most, replace=False))
        who, what, at, labels = who[kept], what[kept], at[kept], labels[kept]
    if not len(labels):
        raise DataError(
            f"No shopper has more than {config.least} events.",
            next_step="Give more events, or a smaller least.",
        )
    order = np.argsort(at, kind="stable")
    who, what, at, labels = who[order], what[order], at[order], labels[order]
    return Moments(Labelled(_rows(past, config, who, what, at, categories), labels), at, who)


def _asked(
    events: Interactions, past: Past, config: MomentsConfig, ratings: npt.NDArray[np.float32] | None,
    rng: np.random.Generator,
) -> tuple[Index, Index, npt.NDArray[np.float64], npt.NDArray[np.float64]]:  # fmt: skip
    """Shopper, product, moment and label of each row."""
    if ratings is not None:
        known = np.isfinite(ratings)
        return (
            events.customers[known].astype(np.int64), events.products[known].astype(np.int64), events.at[known],
            (ratings[known] >= config.good).astype(np.float64),
        )  # fmt: skip
    several = 1 + config.negatives
    # A sample of events first: rows of all would be made for nothing.
    most = min(len(events), 2 * config.most // several + 1)
    chosen = np.sort(rng.choice(len(events), most, replace=False))
    who, what = events.customers[chosen].astype(np.int64), events.products[chosen].astype(np.int64)
    at = events.at[chosen]
    earlier = past.events_before(at)
    places = np.floor(rng.random((config.negatives, len(who))) * earlier).astype(np.int64)
    drawn = events.products[past.in_time[places]].astype(np.int64)
    usable = (earlier > 0) & ~past_moment_has(past, who, drawn, at)
    who_not, at_not = np.broadcast_to(who, drawn.shape)[usable], np.broadcast_to(at, drawn.shape)[usable]
    labels = np.concatenate([np.ones(len(who)), np.zeros(int(usable.sum()))])
    return (
        np.concatenate([who, who_not]), np.concatenate([what, drawn[usable]]), np.concatenate([at, at_not]), labels,
    )  # fmt: skip


def past_moment_has(
    past: Past, customers: Index, products: Index, at: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Whether the shopper did take the product at this very moment; arrays broadcast."""
    who, what, rank = np.broadcast_arrays(customers, products, past.rank(at))
    before, upto = (past.of_pair(who.ravel(), what.ravel(), rank.ravel() + more)[0] for more in (0, 1))
    return (upto > before).reshape(who.shape)


def _rows(
    past: Past, config: MomentsConfig, who: Index, what: Index, at: npt.NDArray[np.float64],
    categories: npt.NDArray[np.int32] | None,
) -> Rows:  # fmt: skip
    rank, late = past.rank(at), past.rank(at - LATE_DAYS * DAY_S)
    by_product, by_late = past.of_product(what, rank), past.of_product(what, late)
    by_customer, last = past.of_customer(who, rank)
    by_pair, last_pair = past.of_pair(who, what, rank)
    numbers = np.stack(
        [
            np.log1p(by_product), np.log1p(by_product - by_late), np.log1p(by_customer),
            np.log1p((at - last) / DAY_S), np.log1p(by_pair), np.log1p((at - last_pair) / DAY_S),
        ], axis=1,
    )  # fmt: skip
    history = past.history(who, rank, config.length)
    n_products, n_customers = past.events.n_products, past.events.n_customers
    codes, names, sizes = [what + 1, who + 1], ["product", "customer"], [n_products + 1, n_customers + 1]
    sequences = {"product": np.where(history >= 0, history + 1, MISSING).astype(np.int32)}
    if categories is not None:
        codes.append(categories[what].astype(np.int64))
        names.append("category")
        sizes.append(int(categories.max(initial=0)) + 1)
        sequences["category"] = np.where(history >= 0, categories[np.maximum(history, 0)], MISSING).astype(
            np.int32
        )
    return Rows.of(
        numbers=numbers.astype(np.float32), categories=np.stack(codes, axis=1).astype(np.int32),
        number_names=NUMBERS, category_names=tuple(names), sizes=tuple(sizes), sequences=sequences,
    )  # fmt: skip
