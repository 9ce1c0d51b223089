"""What a shop was like at one moment: prices, popularity, what is bought together, when people come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field
from scipy import sparse

from storewise.core.config import Config
from storewise.data.dataset import Dataset
from storewise.predict.features import segments
from storewise.predict.features.events import DAY_S, PURCHASE, EventLog, Orders, Trails
from storewise.predict.models.buy_till_you_die import UNIT_DAYS, BgNbd, GammaGamma

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
WINDOWS = (28, 91, 365)
LEAST_TOGETHER = 2  # orders that two products share, from which they count as bought together
MANY_LINES = 100  # orders longer than this say little of what goes together


class FactsConfig(Config):
    """``horizon_days``: how far predictions look. ``text_size``: dimensions that product texts are reduced to,
    0 leaves them out. ``neighbours``: products bought together that are kept for each product."""

    horizon_days: float = Field(default=28.0, gt=0)
    text_size: int = Field(default=64, ge=0, le=256)
    neighbours: int = Field(default=50, ge=1, le=1000)


@dataclass(frozen=True)
class Shelf:
    """The products as the catalogue has them, which no event changes: ``categories`` (n,) codes, -1 for none;
    ``list_price_minor`` (n,), NaN for none, used only in a shop whose events carry no price; ``text`` (n, d):
    unit vectors of what the products are, or None."""

    categories: npt.NDArray[np.int64]
    list_price_minor: Floats
    text: Vectors | None = None

    def reduced(self, size: int) -> Vectors:
        """``text`` in its first ``size`` principal directions, (n, 0) without any."""
        return _reduced(self.text, size, len(self.categories))

    @classmethod
    def of(cls, shop: Dataset, text: Vectors | None = None) -> Shelf:
        """Of a shop's catalogue; ``text`` defaults to the dataset's content."""
        n = shop.n_products
        codes, prices = np.full(n, -1, np.int64), np.full(n, np.nan)
        if "category" in shop.products.columns:
            column = shop.products["category"]
            known = column.drop_nulls().unique().sort()
            places = {name: i for i, name in enumerate(known.to_list())}
            codes = np.array([places.get(name, -1) for name in column.to_list()], np.int64)
        if "price_minor" in shop.products.columns:
            prices = shop.products["price_minor"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return cls(codes, prices, shop.content if text is None else text)


@dataclass(frozen=True)
class ShopFacts:
    """What features need besides a shopper's own trail, as of ``now`` (seconds): plain arrays, so that what
    training saw is what serving reads.

    By product (n_products,): ``categories``, ``price_minor`` (mean price of the events so far), ``buyers_28/91/365``
    (different shoppers), ``age_days`` and ``quiet_days`` since its first and last sale, ``again_share`` (buyers with
    two orders or more), ``again_days`` (their mean gap). ``text`` (n_products, d). ``near_indptr/products/values``:
    the cosine of orders for products bought together.
    """

    now: float
    start: float
    horizon_days: float
    categories: npt.NDArray[np.int64]
    price_minor: Floats
    buyers_28: Floats
    buyers_91: Floats
    buyers_365: Floats
    age_days: Floats
    quiet_days: Floats
    again_share: Floats
    again_days: Floats
    text: Vectors
    near_indptr: npt.NDArray[np.int64]
    near_products: npt.NDArray[np.int32]
    near_values: npt.NDArray[np.float32]
    unit_price_minor: float
    again_share_shop: float
    again_days_shop: float
    life: Floats
    """(4,): r, α, a, b of BG/NBD, NaN where it could not be fitted."""
    spend: Floats
    """(3,): p, q, γ of Gamma-Gamma, NaN where it could not be fitted."""

    @classmethod
    def of(
        cls,
        log: EventLog,
        shelf: Shelf,
        now: float,
        config: FactsConfig | None = None,
        *,
        products: bool = True,
    ) -> ShopFacts:
        """As of ``now``: what happens later is left out before anything is counted. ``products=False`` leaves out
        what only features of products read (popularity, repeats, what is bought together)."""
        config = config or FactsConfig()
        past = log.select((log.at < now) & (log.kinds == PURCHASE))
        n = log.n_products
        unknown = np.full(n, np.nan)
        pairs = _product_pairs(past) if products else (unknown, unknown, np.nan, np.nan)
        buyers = {days: _buyers(past, now, days, n) if products else unknown for days in WINDOWS}
        known = _everybody(past, now)
        orders = known.orders
        life, spend = _lifetimes(orders)
        price, unit_price = _prices(past, shelf.list_price_minor)
        first, last = np.full(n, np.nan), np.full(n, np.nan)
        in_time = np.argsort(past.at, kind="stable")
        last[past.products[in_time]] = past.at[in_time]
        first[past.products[in_time[::-1]]] = past.at[in_time[::-1]]
        near = (
            _together(orders, n, config.neighbours)
            if products
            else sparse.csr_matrix((n, n), dtype=np.float32)
        )
        return cls(
            now=float(now), start=past.start, horizon_days=config.horizon_days,
            categories=shelf.categories, price_minor=price,
            buyers_28=buyers[28], buyers_91=buyers[91], buyers_365=buyers[365],
            age_days=(now - first) / DAY_S, quiet_days=(now - last) / DAY_S,
            again_share=pairs[0], again_days=pairs[1],
            text=shelf.reduced(config.text_size),
            near_indptr=near.indptr.astype(np.int64), near_products=near.indices.astype(np.int32),
            near_values=near.data.astype(np.float32),
            unit_price_minor=unit_price, again_share_shop=pairs[2], again_days_shop=pairs[3],
            life=life, spend=spend,
        )  # fmt: skip

    @property
    def n_products(self) -> int:
        return len(self.categories)

    @cached_property
    def near(self) -> sparse.csr_matrix:
        """(n_products, n_products) the cosine of orders, the best neighbours of each row."""
        return sparse.csr_matrix(
            (self.near_values, self.near_products, self.near_indptr), shape=(self.n_products,) * 2
        )

    @cached_property
    def near_to(self) -> sparse.csr_matrix:
        """The same by column: whose neighbour a product is."""
        return self.near.T.tocsr()

    @cached_property
    def text_unit(self) -> Vectors:
        """(n_products, d) ``text`` at unit length."""
        lengths = np.maximum(np.linalg.norm(self.text, axis=1, keepdims=True), 1e-9)
        return np.asarray(self.text / lengths, np.float32)

    @property
    def bg_nbd(self) -> BgNbd | None:
        """The fitted model, None where there was too little to fit."""
        return None if np.isnan(self.life).any() else BgNbd(*self.life.tolist())

    @property
    def gamma_gamma(self) -> GammaGamma | None:
        """The fitted model, None where there was too little to fit."""
        return None if np.isnan(self.spend).any() else GammaGamma(*self.spend.tolist())

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """As arrays for an artifact."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]]) -> ShopFacts:
        """From what ``state`` gave."""
        values: dict[str, Any] = {field.name: state[field.name] for field in fields(cls)}
        return cls(**{name: v.item() if v.ndim == 0 else v for name, v in values.items()})

    def at(self, now: float) -> ShopFacts:
        """The same facts asked at a later moment: ages grow, counts stay as they were learned."""
        later = (now - self.now) / DAY_S
        return self if later == 0 else replace(
            self, now=now, age_days=self.age_days + later, quiet_days=self.quiet_days + later
        )  # fmt: skip


def _everybody(past: EventLog, now: float) -> Trails:
    """Every known customer's trail."""
    return past.trails(np.arange(past.n_customers), now)


def _buyers(past: EventLog, now: float, days: float, n: int) -> Floats:
    rows = past.at >= now - days * DAY_S
    if not rows.any():
        return np.zeros(n)
    who = past.customers[rows] + 1
    pairs = np.sort(past.products[rows] * (int(who.max()) + 1) + who)
    fresh = np.r_[True, pairs[1:] != pairs[:-1]]
    return np.bincount(pairs[fresh] // (int(who.max()) + 1), minlength=n).astype(np.float64)


def _product_pairs(past: EventLog) -> tuple[Floats, Floats, float, float]:
    """By product: share of known buyers who came back for it on another day, mean days between; the shop's too."""
    n = past.n_products
    rows = np.flatnonzero(past.customers >= 0)
    order = rows[np.lexsort((past.at[rows], past.products[rows], past.customers[rows]))]
    who, what, when = past.customers[order], past.products[order], past.at[order]
    same = (who[1:] == who[:-1]) & (what[1:] == what[:-1])
    gaps = np.diff(when) / DAY_S
    again = same & (gaps >= 1.0)
    buyers = np.bincount(what[np.r_[True, ~same]] if len(what) else what, minlength=n).astype(np.float64)
    pair = np.cumsum(np.r_[True, ~same]) - 1 if len(what) else np.empty(0, np.int64)
    returning = np.unique(pair[1:][again]) if len(what) else np.empty(0, np.int64)
    owners = what[np.r_[True, ~same]][returning] if len(what) else what
    back = np.bincount(owners, minlength=n).astype(np.float64)
    sums = np.bincount(what[1:][again], gaps[again], minlength=n) if len(what) else np.zeros(n)
    counts = np.bincount(what[1:][again], minlength=n).astype(np.float64) if len(what) else np.zeros(n)
    share = float(back.sum() / buyers.sum()) if buyers.sum() else float("nan")
    days = float(sums.sum() / counts.sum()) if counts.sum() else float("nan")
    # Drawn towards the shop's own share by 10 buyers and towards its mean gap by 5 gaps.
    smooth = (back + 10 * np.nan_to_num(share)) / (buyers + 10)
    gap = (sums + 5 * np.nan_to_num(days)) / (counts + 5)
    return smooth, np.where(np.isnan(days), np.nan, gap), share, days


def _lifetimes(orders: Orders) -> tuple[Floats, Floats]:
    x, t_x, age = lifetimes(orders)
    kept = ~np.isnan(age)
    life = BgNbd.fit(x[kept], t_x[kept], age[kept])
    mean = segments.ratio(
        segments.total(orders.rows, np.nan_to_num(orders.value_minor), len(orders.count)), orders.count
    )
    spend = GammaGamma.fit(orders.count[kept], mean[kept])
    return (
        np.full(4, np.nan) if life is None else np.array([life.r, life.alpha, life.a, life.b]),
        np.full(3, np.nan) if spend is None else np.array([spend.p, spend.q, spend.gamma]),
    )


def lifetimes(orders: Orders) -> tuple[Floats, Floats, Floats]:
    """(b,) repeat orders, weeks to the last one, weeks since the first; NaN ages for who never bought."""
    trails = orders.lines_of
    first = segments.first(orders.at, orders.indptr)
    last = segments.last(orders.at, orders.indptr)
    week = UNIT_DAYS * DAY_S
    return np.maximum(orders.count - 1, 0), (last - first) / week, (trails.now - first) / week


def _prices(past: EventLog, listed: Floats) -> tuple[Floats, float]:
    priced = np.isfinite(past.spend_minor)
    if not priced.any():
        return listed, float(np.nanmean(listed)) if np.isfinite(listed).any() else float("nan")
    n = past.n_products
    spent = segments.total(past.products[priced], past.spend_minor[priced], n)
    units = segments.total(past.products[priced], past.quantity[priced], n)
    return segments.ratio(spent, units), float(spent.sum() / max(units.sum(), 1.0))


def _together(orders: Orders, n: int, neighbours: int) -> sparse.csr_matrix:
    """Cosine of the sets of orders, the best neighbours of each product, itself left out."""
    lines = orders.lines_of
    short = orders.lines[orders.line_order] <= MANY_LINES
    baskets = sparse.csr_matrix(
        (np.ones(int(short.sum()), np.float32), (orders.line_order[short], lines.products[short])),
        shape=(len(orders.at), n),
    )
    baskets.sum_duplicates()
    baskets.data[:] = 1
    norms = np.sqrt(np.maximum(np.asarray(baskets.sum(axis=0)).ravel(), 1))
    pairs = (baskets.T @ baskets).tocsr()
    pairs.data[pairs.data < LEAST_TOGETHER] = 0
    pairs.setdiag(0)
    pairs.eliminate_zeros()
    own = norms[np.repeat(np.arange(n), np.diff(pairs.indptr))]
    pairs.data = (pairs.data / (own * norms[pairs.indices])).astype(np.float32)
    return _best(pairs, neighbours)


def _best(pairs: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k largest values of each row, of equal ones the first."""
    kept = np.ones(len(pairs.data), bool)
    for row in np.flatnonzero(np.diff(pairs.indptr) > k):
        part = slice(pairs.indptr[row], pairs.indptr[row + 1])
        values = pairs.data[part]
        border = np.partition(values, -k)[-k]
        kept[part] = values > border
        level = np.flatnonzero(values == border)[: k - int((values > border).sum())]
        kept[part.start + level] = True
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))[kept]
    return sparse.csr_matrix((pairs.data[kept], (rows, pairs.indices[kept])), shape=pairs.shape)


def _reduced(text: Vectors | None, size: int, n: int) -> Vectors:
    """The first principal directions of the products' vectors (uncentred: a cosine stays a cosine)."""
    if text is None or not size:
        return np.zeros((n, 0), np.float32)
    if text.shape[1] <= size:
        return text.astype(np.float32)
    values, directions = np.linalg.eigh(np.asarray(text.T @ text, np.float64))
    best = directions[:, np.argsort(-values, kind="stable")[:size]]
    best = best * np.where(best[np.abs(best).argmax(axis=0), np.arange(size)] < 0, -1.0, 1.0)
    return np.asarray(text @ best.astype(np.float32), np.float32)
