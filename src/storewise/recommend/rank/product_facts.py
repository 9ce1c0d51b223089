"""What was known of each product at one moment: the part of a ranker's features that no shopper changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.component import Arrays
from storewise.data.dataset import Dataset

DAY_S = 86_400.0
YEAR_S = 364 * DAY_S  # whole weeks, so that weekdays fall on weekdays
RECENT_DAYS = (7, 28, 91, 364)
NAMES = (
    *(f"sold_{days}d" for days in RECENT_DAYS),
    "trend_28d",
    "trend_7d",
    "season",
    "customers",
    "repeat_share",
    "gap_days",
    "age_days",
    "idle_days",
    "price",
)

Table = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ProductFacts:
    """``table`` (n_products, len(NAMES)) float32, NaN where unknown. ``category``, ``brand`` (n_products,) int32
    codes, -1 for none. ``log_price`` (n_products,) NaN where unknown. ``log_gap`` (n_products,): mean logarithm of
    the days between two purchases of a product by one shopper. ``content`` (n_products, d) unit vectors or None.

    >>> shop = Dataset.of([0, 0, 1], [0, 1, 1], at=[0, 0, DAY_S], n_customers=2, n_products=3)
    >>> facts = ProductFacts.of(shop)
    >>> np.expm1(facts.table[:, NAMES.index("customers")]).round().tolist()
    [1.0, 2.0, 0.0]
    """

    table: Table
    category: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    log_price: Table
    log_gap: Table
    content: npt.NDArray[np.float32] | None = field(default=None)

    @classmethod
    def of(cls, dataset: Dataset) -> ProductFacts:
        """As things stood at the dataset's watermark; nothing later is looked at.

        Prices are the latest that somebody paid, else the catalogue's. ``season`` is how much was sold in the 28
        days that followed the same moment a year (52 weeks) before, against the four weeks up to it: NaN where the
        shop is younger.
        """
        data, n, now = dataset.interactions, dataset.n_products, dataset.watermark
        windows = [_sold(dataset, now - days * DAY_S, now) for days in RECENT_DAYS]
        week, month = windows[0], windows[1]
        before = _sold(dataset, now - 56 * DAY_S, now - 28 * DAY_S)
        gaps = _gaps(dataset)
        first, last = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(first, data.products, data.at)
        np.maximum.at(last, data.products, data.at)
        age, idle = ((now - at) / DAY_S for at in (first, last))
        log_price = _log_price(dataset)
        customers = data.popularity
        columns = [
            *(np.log1p(sold) for sold in windows),
            np.log((month + 1.0) / (before + 1.0)),
            np.log((4.0 * week + 1.0) / (month + 1.0)),
            _season(dataset, now),
            np.log1p(customers),
            gaps.repeat_share,
            gaps.log_gap,
            np.where(np.isfinite(age), age, np.nan),
            np.where(np.isfinite(idle), idle, np.nan),
            log_price,
        ]
        codes = [_codes(dataset.products, name, n) for name in ("category", "brand")]
        table = np.stack(columns, axis=1).astype(np.float32)
        # As it is stored, so that what training read is what serving reads.
        content = None if dataset.content is None else dataset.content.astype(np.float16).astype(np.float32)
        return cls(
            table, codes[0], codes[1], log_price.astype(np.float32), gaps.log_gap.astype(np.float32), content
        )

    def __len__(self) -> int:
        return len(self.table)

    def state(self) -> Arrays:
        """Plain arrays; content is left out, the snapshot has it already."""
        return {
            "table": self.table, "category": self.category, "brand": self.brand,
            "log_price": self.log_price, "log_gap": self.log_gap,
        } | ({} if self.content is None else {"content": self.content.astype(np.float16)})  # fmt: skip

    @classmethod
    def restored(cls, state: Arrays) -> ProductFacts:
        """From the arrays that ``state`` gave."""
        names = ("table", "category", "brand", "log_price", "log_gap")
        content = state["content"].astype(np.float32) if "content" in state else None
        return cls(*(state[name] for name in names), content)


@dataclass(frozen=True)
class _Gaps:
    log_gap: npt.NDArray[np.float64]
    repeat_share: npt.NDArray[np.float64]


def _gaps(dataset: Dataset, prior: float = 5.0) -> _Gaps:
    """Means over products, drawn to the shop's own by ``prior`` observations."""
    data, n = dataset.interactions, dataset.n_products
    order = np.lexsort((data.at, data.products, data.customers))
    who, what, at = data.customers[order], data.products[order], data.at[order]
    same = (np.diff(who, prepend=-1) == 0) & (np.diff(what, prepend=-1) == 0)
    days = np.diff(at, prepend=0.0) / DAY_S
    counted = same & (days >= 0.5)
    logs, of = np.log(days[counted]), what[counted]
    overall = float(logs.mean()) if len(logs) else float(np.log(30.0))
    count = np.bincount(of, minlength=n)
    log_gap = (np.bincount(of, logs, minlength=n) + prior * overall) / (count + prior)
    times = np.bincount(what[counted | ~same], minlength=n)
    share = len(logs) / max(len(what), 1)
    return _Gaps(log_gap, (count + prior * share) / (times + prior))


def _sold(dataset: Dataset, start: float, stop: float) -> npt.NDArray[np.float64]:
    """(n_products,): events from ``start`` (inclusive) up to ``stop``."""
    data = dataset.interactions
    inside = (data.at >= start) & (data.at < stop)
    return np.bincount(data.products[inside], minlength=dataset.n_products).astype(np.float64)


def _season(dataset: Dataset, now: float) -> npt.NDArray[np.float64]:
    data = dataset.interactions
    then = now - YEAR_S
    if not len(data) or float(data.at.min()) > then - 28 * DAY_S:
        return np.full(dataset.n_products, np.nan)
    after, before = _sold(dataset, then, then + 28 * DAY_S), _sold(dataset, then - 28 * DAY_S, then)
    return np.asarray(np.log((after + 1.0) / (before + 1.0)))


def _log_price(dataset: Dataset) -> npt.NDArray[np.float64]:
    n = dataset.n_products
    price = np.full(n, np.nan)
    if "price_minor" in dataset.products.columns:
        price = dataset.products["price_minor"].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    events = dataset.extra.get("events")
    if events is not None and "unit_price_minor" in events.columns:
        paid = events.filter(pl.col("unit_price_minor") > 0).group_by("product").agg(
            pl.col("unit_price_minor").sort_by("at").last()
        )  # fmt: skip
        price[paid["product"].to_numpy()] = paid["unit_price_minor"].to_numpy()
    return np.log(np.where(price > 0, price, np.nan))


def _codes(products: pl.DataFrame, name: str, n: int) -> npt.NDArray[np.int32]:
    if name not in products.columns:
        return np.full(n, -1, np.int32)
    names = {value: code for code, value in enumerate(products[name].drop_nulls().unique().sort())}
    return np.array([names.get(value, -1) for value in products[name]], np.int32)
