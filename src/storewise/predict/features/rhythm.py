"""Features of how regularly a shopper orders: orders that fade, the gaps between them, months with one, the time of the
year, and how the last order compares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.predict.features import segments
from storewise.predict.features.events import DAY_S, Orders

Floats = npt.NDArray[np.float64]
Columns = dict[str, Floats]
HALF_LIVES = (14, 91)  # days
EARLIER = (2, 3, 5, 10)  # the so many-th last order
MONTH_DAYS, MONTHS = 28.0, 13
YEAR_DAYS = 364.0
HALF = 0.5
SPREAD = 0.3  # of the logarithm of gaps, added so that few gaps do not look regular
SHORTEST_DAYS = 0.5


def rhythm_columns(orders: Orders, horizon_days: float) -> Columns:
    """Name → (b,) float64, NaN where nothing can be said. What is asked about are the ``horizon_days`` to come."""
    return {
        **_fading(orders),
        **_gaps(orders, horizon_days),
        **_months(orders),
        **_year(orders, horizon_days),
        **_last_order(orders),
    }


def _fading(orders: Orders) -> Columns:
    """Orders and amounts that count half after so many days, and the ages of earlier orders."""
    n = len(orders.count)
    found: Columns = {
        f"orders_fading_{days}": segments.total(orders.rows, 0.5 ** (orders.age_days / days), n)
        for days in HALF_LIVES
    }
    faded = np.nan_to_num(orders.value_minor) * 0.5 ** (orders.age_days / HALF_LIVES[-1])
    priced = segments.total(orders.rows, np.isfinite(orders.value_minor), n) > 0
    found["spend_fading_log"] = np.where(priced, np.log1p(segments.total(orders.rows, faded, n)), np.nan)
    for back in EARLIER:
        places = orders.indptr[1:] - back
        there = places >= orders.indptr[:-1]
        ages = np.full(n, np.nan)
        ages[there] = orders.age_days[places[there]]
        found[f"recency_{back}_days"] = ages
    return found


def _gaps(orders: Orders, horizon_days: float) -> Columns:
    """``gaps_due_share``: of the gaps longer than the days since the last order, those that would end in the days asked
    about (the empirical hazard); ``gaps_short_share``: of all gaps, those no longer than these days; both (k + ½) / (n + 1½)."""
    n = len(orders.count)
    inside = orders.rows[1:] == orders.rows[:-1]
    rows, gaps = orders.rows[1:][inside], np.diff(orders.at)[inside] / DAY_S
    recency = (orders.lines_of.now - segments.last(orders.at, orders.indptr)) / DAY_S
    mean, spread = segments.spread(rows, np.log(np.maximum(gaps, SHORTEST_DAYS)), n)
    count = segments.total(rows, np.ones(len(rows)), n)
    longest = np.zeros(n)
    np.maximum.at(longest, rows, gaps)
    open_still = gaps > recency[rows]
    due = segments.total(rows, open_still & (gaps <= recency[rows] + horizon_days), n)
    bought = orders.count > 0
    return {
        "gap_position": (np.log(np.maximum(recency, SHORTEST_DAYS)) - mean) / (np.nan_to_num(spread, nan=1.0) + SPREAD),
        "gap_longest_ratio": np.where(count > 0, recency / np.maximum(longest, 1.0), np.nan),
        "gaps_due_share": np.where(bought, (due + HALF) / (segments.total(rows, open_still, n) + 3 * HALF), np.nan),
        "gaps_short_share": np.where(
            bought, (segments.total(rows, gaps <= horizon_days, n) + HALF) / (count + 3 * HALF), np.nan
        ),
    }  # fmt: skip


def _months(orders: Orders) -> Columns:
    """In how many months of 28 days back from now there was an order: of the last 6 and 13, and of those before the
    last one and after the fifth."""
    month = (orders.age_days // MONTH_DAYS).astype(np.int64)
    kept = month < MONTHS
    filled = np.zeros((len(orders.count), MONTHS), bool)
    filled[orders.rows[kept], month[kept]] = True
    spans = {"months_6": slice(0, 6), "months_13": slice(0, MONTHS), "months_2_to_4": slice(1, 4)}
    return {name: filled[:, span].sum(axis=1).astype(np.float64) for name, span in spans.items()}


def _year(orders: Orders, horizon_days: float) -> Columns:
    """Orders around the same days one year before, and the mean direction of orders on the circle of the year, whose
    origin is the middle of the days asked about."""
    n = len(orders.count)
    since = YEAR_DAYS - orders.age_days
    tenure = (orders.lines_of.now - segments.first(orders.at, orders.indptr)) / DAY_S
    around = (since >= -horizon_days) & (since < 2 * horizon_days)
    angle = 2 * np.pi * (orders.age_days + horizon_days / 2) / YEAR_DAYS
    return {
        "orders_around_year_ago": np.where(
            tenure >= YEAR_DAYS, segments.total(orders.rows, around, n), np.nan
        ),
        "year_cos": segments.ratio(segments.total(orders.rows, np.cos(angle), n), orders.count),
        "year_sin": segments.ratio(segments.total(orders.rows, np.sin(angle), n), orders.count),
    }


def _last_order(orders: Orders) -> Columns:
    """How large the last order and the last 91 days were against those before."""
    n = len(orders.count)
    lines, units = (segments.total(orders.rows, part, n) for part in (orders.lines, orders.units))
    last = segments.last(orders.lines, orders.indptr)
    age = orders.age_days
    late = segments.total(orders.rows, orders.lines * (age <= 91), n)
    before = segments.total(orders.rows, orders.lines * ((age > 91) & (age <= 182)), n)
    bought = orders.lines_of
    fresh = bought.age_days <= 91
    return {
        "last_lines": last,
        "last_lines_ratio": np.log1p(last) - np.log1p(segments.ratio(lines, orders.count)),
        "lines_trend": segments.log_ratio(late, before),
        "pieces_a_line": segments.ratio(units, lines),
        "products_91_log": np.log1p(segments.distinct(bought.rows[fresh], bought.products[fresh], n)),
    }
