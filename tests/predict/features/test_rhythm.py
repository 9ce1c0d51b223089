"""Features of rhythm and of what sells now, by hand and against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.predict.features import EventLog, FactsConfig, Shelf, ShopFacts
from storewise.predict.features.current import current_columns
from storewise.predict.features.events import DAY_S
from storewise.predict.features.rhythm import rhythm_columns

NOW = 400.0
SHELF = Shelf(np.array([0, 0, 1]))


def log_of(
    days: list[float], products: list[int] | None = None, customers: list[int] | None = None
) -> EventLog:
    n = len(days)
    return EventLog.build(
        customers or [0] * n, products or [0] * n, np.array(days) * DAY_S, n_customers=9, n_products=3,
        quantity=[2] * n, spend_minor=[100.0] * n,
    )  # fmt: skip


def rhythm(days: list[float], horizon: float = 28.0, now: float = NOW) -> dict[str, float]:
    trails = log_of(days).trails([0], now * DAY_S)
    return {name: float(column[0]) for name, column in rhythm_columns(trails.orders, horizon).items()}


def test_by_hand() -> None:
    """Orders 390, 60, 40 and 10 days ago: gaps of 330, 20 and 30 days."""
    found = rhythm([10, 340, 360, 390])
    ages = np.array([390, 60, 40, 10])
    logs = np.log([330, 20, 30])
    angle = 2 * np.pi * (ages + 14) / 364
    wanted = {
        "orders_fading_14": (0.5 ** (ages / 14)).sum(),
        "orders_fading_91": (0.5 ** (ages / 91)).sum(),
        "spend_fading_log": np.log1p(100 * (0.5 ** (ages / 91)).sum()),
        "recency_2_days": 40, "recency_3_days": 60, "recency_5_days": np.nan,
        "gap_position": (np.log(10) - logs.mean()) / (logs.std(ddof=1) + 0.3),
        "gap_longest_ratio": 10 / 330,
        "gaps_due_share": 2.5 / 4.5,  # three gaps are longer than 10 days, two of them end within 28 more
        "gaps_short_share": 1.5 / 4.5,
        "months_6": 3, "months_13": 3, "months_2_to_4": 2,
        "orders_around_year_ago": 1,  # 390 days ago is 26 days before the same day last year
        "year_cos": np.cos(angle).mean(), "year_sin": np.sin(angle).mean(),
        "last_lines": 1, "last_lines_ratio": 0, "lines_trend": np.log(3.5 / 0.5), "pieces_a_line": 2,
        "products_91_log": np.log(2),
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, nan_ok=True)
    assert set(found) == {*wanted, "recency_10_days"}


def test_one_order_and_none() -> None:
    """A gap needs two orders; who never ordered has no rhythm, but counts of 0."""
    one, none = rhythm([390]), rhythm([])
    assert np.isnan([one["gap_position"], one["gap_longest_ratio"], one["recency_2_days"]]).all()
    assert one["gaps_due_share"] == pytest.approx(1 / 3)
    assert np.isnan(
        [none["gaps_due_share"], none["year_cos"], none["spend_fading_log"], none["last_lines"]]
    ).all()
    assert none["orders_fading_14"] == none["months_13"] == 0


def test_overdue_shoppers_are_less_due() -> None:
    regular = [float(day) for day in range(0, 391, 30)]
    assert rhythm(regular)["gaps_due_share"] > 0.8
    assert rhythm(regular, now=500.0)["gaps_due_share"] == pytest.approx(1 / 3)  # no gap was ever so long


def test_what_sells_now() -> None:
    """Product 0 sells to two shoppers in 28 days, product 1 long ago only, product 2 to one a year ago."""
    log = log_of([380, 390, 100, 40, 20], [0, 0, 1, 2, 1], [1, 2, 3, 4, 5])
    mine = log_of([300, 200, 380, 390, 100, 40, 20], [0, 1, 0, 0, 1, 2, 1], [0, 0, 1, 2, 3, 4, 5])
    facts = ShopFacts.of(log, SHELF, NOW * DAY_S, FactsConfig(), products=False)
    found = {
        name: float(part[0]) for name, part in current_columns(mine.trails([0], NOW * DAY_S), facts).items()
    }
    weights = 0.5 ** (np.array([100, 200]) / 91)
    share = weights / weights.sum()
    assert found["current_share"] == pytest.approx(share[0])
    assert found["current_buyers_log"] == pytest.approx(share[0] * np.log(3))
    trends = np.log([2.5 / (2 * 28 / 91 + 0.5), 0.5 / 0.5])
    assert found["current_trend"] == pytest.approx(share @ trends)
    # one year before is day 36: the sale on day 40 is after it; the history (from day 20) does not reach 28 days back
    assert np.isnan(found["season_fit"])


def test_season_of_products() -> None:
    log = log_of([0, 30, 30, 60, 75, 80, 81], [1, 0, 0, 1, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7])
    now = 70 + 364.0
    facts = ShopFacts.of(log, SHELF, now * DAY_S, FactsConfig(), products=False)
    # from day 42 to 70: product 1 once; from 70 to 98: product 0 three times
    np.testing.assert_allclose(facts.season, np.log([3.5 / 0.5, 0.5 / 1.5, 1.0]))
    longer = ShopFacts.of(log, SHELF, now * DAY_S, FactsConfig(horizon_days=365.0), products=False)
    assert np.isnan(longer.season).all()  # would reach beyond now
