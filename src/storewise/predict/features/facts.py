"""What a shop was like at one moment: prices, popularity, what is bought together, when people come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.config import Config
from storewise.predict.features import segments
from storewise.predict.features.events import DAY_S, PURCHASE, EventLog, Orders, Trails
from storewise.predict.features.lists import ListFacts, packed, unpacked
from storewise.predict.features.shelf import Shelf, early
from storewise.predict.features.together import together
from storewise.predict.models.buy_till_you_die import UNIT_DAYS, BgNbd, GammaGamma

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
WINDOWS = (28, 91, 365)
LISTS = "lists_"  # how the arrays of lists are called among those of the shop
YEAR_DAYS = 364.0  # a whole number of weeks, so that weekdays stay


class FactsConfig(Config):
    """``horizon_days``: how far predictions look. ``text_size``: dimensions that product texts are reduced to,
    0 leaves them out. ``neighbours``: products bought together that are kept for each product."""

    horizon_days: float = Field(default=28.0, gt=0)
    text_size: int = Field(default=64, ge=0, le=256)
    neighbours: int = Field(default=50, ge=1, le=1000)


@dataclass(frozen=True)
class ShopFacts:
    """What features need besides a shopper's own trail, as of ``now`` (seconds): plain arrays, so that what
    training saw is what serving reads.

    By product (n_products,): ``categories``, ``price_minor`` (mean price of the events so far), ``buyers_28/91/365``
    (different shoppers), ``season`` (ln of the buyers of the ``horizon_days`` one year ago over those of as many days
    before, ½ added to both; NaN without that much history), ``age_days`` and ``quiet_days`` since its first and last sale, ``again_share`` (buyers with
    two orders or more), ``again_days`` (their mean gap). ``text`` (n_products, d). ``near_indptr/products/values``:
    the cosine of orders for products bought together. ``lists``: what is known of products in lists; ``slots``,
    ``sources``: names of the log's codes, as bytes.
    """

    now: float
    start: float
    horizon_days: float
    categories: npt.NDArray[np.int64]
    price_minor: Floats
    buyers_28: Floats
    buyers_91: Floats
    buyers_365: Floats
    season: Floats
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
    lists: ListFacts
    slots: npt.NDArray[np.uint8]
    sources: npt.NDArray[np.uint8]

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
        what only features of products read (repeats, what is bought together)."""
        config = config or FactsConfig()
        shelf = shelf.at(now)
        past = log.before(now, PURCHASE)
        n = log.n_products
        unknown = np.full(n, np.nan)
        pairs = _product_pairs(past) if products else (unknown, unknown, np.nan, np.nan)
        buyers = {days: _buyers(past, now - days * DAY_S, now, n) for days in WINDOWS}
        known = _everybody(past, now)
        orders = known.orders
        life, spend = _lifetimes(orders)
        price, unit_price = _prices(past)
        first, last = np.full(n, np.nan), np.full(n, np.nan)
        in_time = np.argsort(past.at, kind="stable")
        last[past.products[in_time]] = past.at[in_time]
        first[past.products[in_time[::-1]]] = past.at[in_time[::-1]]
        near = (
            together(orders, n, config.neighbours)
            if products
            else sparse.csr_matrix((n, n), dtype=np.float32)
        )
        return cls(
            now=float(now), start=past.start, horizon_days=config.horizon_days,
            categories=shelf.categories, price_minor=price,
            buyers_28=buyers[28], buyers_91=buyers[91], buyers_365=buyers[365],
            season=_season(past, now, config.horizon_days),
            age_days=(now - first) / DAY_S, quiet_days=(now - last) / DAY_S,
            again_share=pairs[0], again_days=pairs[1],
            text=shelf.reduced(config.text_size, early(log, now)),
            near_indptr=near.indptr.astype(np.int64), near_products=near.indices.astype(np.int32),
            near_values=near.data.astype(np.float32),
            unit_price_minor=unit_price, again_share_shop=pairs[2], again_days_shop=pairs[3],
            life=life, spend=spend,
            lists=ListFacts.of(log, now), slots=packed(log.slot_names), sources=packed(log.source_names),
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

    @cached_property
    def slot_names(self) -> tuple[str, ...]:
        """The name of each code of a slot."""
        return unpacked(self.slots)

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """The name of each code of what makes lists."""
        return unpacked(self.sources)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """As arrays for an artifact."""
        own = [field.name for field in fields(self) if field.name != "lists"]
        return {name: np.asarray(getattr(self, name)) for name in own} | {
            LISTS + field.name: np.asarray(getattr(self.lists, field.name)) for field in fields(ListFacts)
        }

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]]) -> ShopFacts:
        """From what ``state`` gave."""
        plain = {name: v.item() if v.ndim == 0 else v for name, v in state.items()}
        lists = ListFacts(**{field.name: plain[LISTS + field.name] for field in fields(ListFacts)})
        own = {field.name: plain[field.name] for field in fields(cls) if field.name != "lists"}
        return cls(**own, lists=lists)

    def at(self, now: float) -> ShopFacts:
        """The same facts asked at a later moment: ages grow, counts stay as they were learned."""
        later = (now - self.now) / DAY_S
        return self if later == 0 else replace(
            self, now=now, age_days=self.age_days + later, quiet_days=self.quiet_days + later
        )  # fmt: skip


def _everybody(past: EventLog, now: float) -> Trails:
    """Every known customer's trail."""
    return past.trails(np.arange(past.n_customers), now)


def _buyers(past: EventLog, start: float, stop: float, n: int) -> Floats:
    """(n,) different shoppers of each product in [start, stop)."""
    rows = (past.at >= start) & (past.at < stop)
    if not rows.any():
        return np.zeros(n)
    who = past.customers[rows] + 1
    pairs = np.sort(past.products[rows] * (int(who.max()) + 1) + who)
    fresh = np.r_[True, pairs[1:] != pairs[:-1]]
    return np.bincount(pairs[fresh] // (int(who.max()) + 1), minlength=n).astype(np.float64)


def _season(past: EventLog, now: float, days: float) -> Floats:
    """See ``season`` of :class:`ShopFacts`; nothing at or after ``now`` is read, however long the days are."""
    middle, span = now - YEAR_DAYS * DAY_S, days * DAY_S
    if middle - span < past.start or middle + span > now:
        return np.full(past.n_products, np.nan)
    after = _buyers(past, middle, middle + span, past.n_products)
    return segments.log_ratio(after, _buyers(past, middle - span, middle, past.n_products))


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


def _prices(past: EventLog) -> tuple[Floats, float]:
    priced, n = np.isfinite(past.spend_minor), past.n_products
    if not priced.any():
        return np.full(n, np.nan), float("nan")
    spent = segments.total(past.products[priced], past.spend_minor[priced], n)
    units = segments.total(past.products[priced], past.quantity[priced], n)
    return segments.ratio(spent, units), float(spent.sum() / max(units.sum(), 1.0))
