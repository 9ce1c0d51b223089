"""Features of a shopper: how recently, how often, how regularly, how much, of what, and when they bought.

``H`` is the horizon of :class:`FactsConfig`; every count is of orders unless it says otherwise. NaN is "cannot be
said" (a gap needs two orders).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.predict.base import Rows
from storewise.predict.features import segments
from storewise.predict.features.current import current_columns
from storewise.predict.features.events import CODE, DAY_S, RETURN, Orders, Trails
from storewise.predict.features.facts import ShopFacts, lifetimes
from storewise.predict.features.rhythm import rhythm_columns
from storewise.predict.models.buy_till_you_die import UNIT_DAYS

Floats = npt.NDArray[np.float64]
Columns = dict[str, Floats]
Categories = tuple[npt.NDArray[np.int32] | None, tuple[str, ...], tuple[int, ...]]
NO_CATEGORIES: Categories = (None, (), ())
Text = Literal["none", "fit", "full"]
"""How far product texts are read: not at all, as a fit of product and history, or as vectors too."""
WINDOWS = (7, 14, 28, 56, 91, 182, 365)
LOOKS = ("view", "click", "cart")
HALF_LIFE_DAYS = 91.0  # of what was bought, in a shopper's taste
YEAR_DAYS = 364.0  # a whole number of weeks, so that weekdays stay
TEXT_COLUMNS = 16  # the first principal directions of a text vector that predictors read
BASELINE = ("recency_days", "orders_log", "tenure_days", "orders_91", "spend_log")
"""What the classic recency, frequency and monetary value say."""


def customer_rows(trails: Trails, facts: ShopFacts, *, text: Text = "fit") -> Rows:
    """(b,) rows of all features, in a fixed order; with ``full`` text also what was bought, as a vector."""
    wanted = text == "full" and facts.text.shape[1] > 0
    columns = {
        **customer_columns(trails, facts),
        **rhythm_columns(trails.orders, facts.horizon_days),
        **current_columns(trails, facts),
    }
    return as_rows(columns, {"taste": taste(trails, facts)} if wanted else {})


def as_rows(
    columns: Columns, vectors: Mapping[str, npt.NDArray[np.float32]], categories: Categories = NO_CATEGORIES
) -> Rows:
    """Columns as numbers, the first dimensions of each vector, and categories (codes, names, sizes)."""
    codes, names, sizes = categories
    return Rows.of(
        numbers=np.stack(list(columns.values()), axis=1).astype(np.float32),
        categories=codes,
        number_names=tuple(columns),
        category_names=names,
        sizes=sizes,
        vectors={name: block[:, :TEXT_COLUMNS] for name, block in vectors.items()},
    )


def customer_columns(trails: Trails, facts: ShopFacts) -> Columns:
    """Name → (b,) float64: the features below, without those of rhythm and of what sells now."""
    orders = trails.orders
    return {
        **_rhythm(orders, facts),
        **_money(orders, facts),
        **_breadth(trails, orders, facts),
        **_habits(orders, trails.now),
        **_lifetime(orders, facts),
        **_looks(trails),
    }


def _rhythm(orders: Orders, facts: ShopFacts) -> Columns:
    n, now = len(orders.count), orders.lines_of.now
    first, last = segments.first(orders.at, orders.indptr), segments.last(orders.at, orders.indptr)
    recency, tenure = (now - last) / DAY_S, (now - first) / DAY_S
    inside = orders.rows[1:] == orders.rows[:-1]
    gap_rows, gaps = orders.rows[1:][inside], np.diff(orders.at)[inside] / DAY_S
    gap_mean, gap_spread = segments.spread(gap_rows, gaps, n)
    borders = np.concatenate([[0], np.cumsum(np.bincount(gap_rows, minlength=n))]).astype(np.int64)
    counts = {f"orders_{days}": segments.total(orders.rows, orders.age_days <= days, n) for days in WINDOWS}
    year_ago = YEAR_DAYS - orders.age_days  # days after the moment one year before
    found: Columns = {
        "recency_days": recency,
        "orders_log": np.log1p(orders.count),
        "tenure_days": tenure,
        **counts,
        "order_rate": segments.ratio(orders.count, np.maximum(tenure, 7.0)),
        "gap_mean_days": gap_mean,
        "gap_spread_days": gap_spread,
        "gap_last_days": segments.last(gaps, borders),
        "cycle_position": segments.ratio(recency, np.maximum(gap_mean, 1.0)),
        "overdue": (recency - gap_mean) / (np.nan_to_num(gap_spread, nan=0.0) + 7.0),
        "orders_trend": segments.log_ratio(counts["orders_91"], counts["orders_182"] - counts["orders_91"]),
    }
    reach = (year_ago >= 0) & (year_ago < facts.horizon_days)
    same = segments.total(orders.rows, reach, n)
    found["orders_year_ago"] = np.where(tenure >= YEAR_DAYS, same, np.nan)
    return found


def _money(orders: Orders, facts: ShopFacts) -> Columns:
    n = len(orders.count)
    value = np.nan_to_num(orders.value_minor)
    priced = segments.total(orders.rows, np.isfinite(orders.value_minor), n)
    spent = np.where(priced > 0, segments.total(orders.rows, value, n), np.nan)
    mean = segments.ratio(spent, priced)
    late = np.where(priced > 0, segments.total(orders.rows, value * (orders.age_days <= 91), n), np.nan)
    units = segments.total(orders.rows, orders.units, n)
    level = segments.ratio(spent, units)
    return {
        "spend_log": np.log1p(spent),
        "spend_91_log": np.log1p(late),
        "order_value_log": np.log1p(mean),
        "order_value_last": segments.last(orders.value_minor, orders.indptr) / np.maximum(mean, 1.0),
        "lines_mean": segments.ratio(segments.total(orders.rows, orders.lines, n), orders.count),
        "units_mean": segments.ratio(units, orders.count),
        "price_level": np.log(np.maximum(level, 1e-9) / max(facts.unit_price_minor, 1e-9)),
    }


def _breadth(trails: Trails, orders: Orders, facts: ShopFacts) -> Columns:
    n, bought = len(trails), orders.lines_of
    lines = np.diff(bought.indptr).astype(np.float64)
    products = segments.distinct(bought.rows, bought.products, n)
    back = trails.of_kind(RETURN)
    units_back = segments.total(back.rows, back.quantity, n)
    units = segments.total(bought.rows, bought.quantity, n)
    some = orders.count > 0
    return {
        "products_log": np.log1p(products),
        "categories": segments.distinct(bought.rows, facts.categories[bought.products], n),
        "repeat_share": np.where(some, 1 - segments.ratio(products, lines), np.nan),
        "return_share": np.minimum(segments.ratio(units_back, units), 1.0),
        "return_recency_days": (trails.now - segments.last(back.at, back.indptr)) / DAY_S,
    }


def _habits(orders: Orders, now: Floats) -> Columns:
    """When they buy: the mean direction on the clock and on the week, and how much they keep to it."""
    n = len(orders.count)
    found: Columns = {}
    for name, period in (("hour", DAY_S), ("weekday", 7 * DAY_S)):
        angle = 2 * np.pi * (orders.at % period) / period
        east = segments.ratio(segments.total(orders.rows, np.cos(angle), n), orders.count)
        north = segments.ratio(segments.total(orders.rows, np.sin(angle), n), orders.count)
        found[f"{name}_cos"], found[f"{name}_sin"] = east, north
    return found


def _lifetime(orders: Orders, facts: ShopFacts) -> Columns:
    """What BG/NBD and Gamma-Gamma, fitted on the shop up to ``now``, expect of the shopper."""
    x, t_x, age = lifetimes(orders)
    nothing = np.full(len(x), np.nan)
    life, spend = facts.bg_nbd, facts.gamma_gamma
    found = dict.fromkeys(("p_alive", "bg_p_purchase", "bg_orders", "bg_value_log"), nothing)
    if life is not None:
        weeks = facts.horizon_days / UNIT_DAYS
        found["p_alive"] = life.p_alive(x, t_x, age)
        found["bg_p_purchase"] = life.p_purchase(x, t_x, age, weeks=weeks)
        found["bg_orders"] = life.expected_orders(x, t_x, age, weeks=weeks)
        if spend is not None:
            n = len(x)
            mean = segments.ratio(
                segments.total(orders.rows, np.nan_to_num(orders.value_minor), n), orders.count
            )
            value = spend.expected_value(np.maximum(orders.count, 1), mean)
            found["bg_value_log"] = np.log1p(found["bg_orders"] * value)
    return found


def _looks(trails: Trails) -> Columns:
    """Views, clicks and carts: how many lately and how long ago."""
    n = len(trails)
    found: Columns = {}
    for kind in LOOKS:
        part = trails.of_kind(CODE[kind])
        for days in (1, 7, 28):
            found[f"{kind}s_{days}"] = segments.total(part.rows, part.age_days <= days, n)
        found[f"{kind}_recency_days"] = (trails.now - segments.last(part.at, part.indptr)) / DAY_S
    return found


def taste(trails: Trails, facts: ShopFacts) -> npt.NDArray[np.float32]:
    """(b, d): the mean text vector of what was bought, a purchase counting half after 91 days; unit length, zero
    for who bought nothing."""
    bought = trails.orders.lines_of
    weight = 0.5 ** (bought.age_days / HALF_LIFE_DAYS)
    shape = (len(trails), facts.n_products)
    found = sparse.csr_matrix((weight, (bought.rows, bought.products)), shape=shape) @ facts.text
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.divide(found, length, out=np.zeros_like(found), where=length > 0), np.float32)
