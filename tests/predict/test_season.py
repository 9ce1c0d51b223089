"""The season: shops with a known one, shops without, shops that are too young; and that nothing later is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.predict.features.events import DAY_S, EventLog
from storewise.predict.season import LEAST_WINDOWS, Season, learn_season, year_ago
from storewise.predict.targets import TARGETS, customer_cases

CUSTOMERS, BASE = 400, 0.006  # orders a day


def season_at(day: np.ndarray, size: float) -> np.ndarray:
    """A wave over the year, in the logarithm of the rate of ordering."""
    return np.exp(size * np.sin(2 * np.pi * day / 364))


def shop(size: float, days: int = 1100, seed: int = 0, customers: int = CUSTOMERS) -> EventLog:
    rng = np.random.default_rng(seed)
    chance = BASE * season_at(np.arange(days), size)
    who, when = np.nonzero(rng.random((customers, days)) < chance)
    return EventLog.build(who, np.zeros(len(who)), when * DAY_S + 3_600, n_customers=customers, n_products=1)


@pytest.mark.parametrize("day", [910, 1060])
def test_a_known_season_is_found(day: int) -> None:
    log = shop(0.8, customers=3_000)
    found = learn_season(log, day * DAY_S, 28.0)
    after, before = (season_at(np.arange(day + k, day + k + 28), 0.8).mean() for k in (0, -28))
    assert found.code == "season"
    assert found.log_ratio == pytest.approx(np.log(after / before), abs=0.15)
    assert found.error < found.error_without
    assert found.spread < 0.15


def test_it_makes_the_next_rate_truer() -> None:
    log, wins = shop(0.8, customers=3_000), []
    for day in range(900, 1070, 28):
        rates = [
            customer_cases(TARGETS["purchase"], log, (day + k) * DAY_S, 28).labels.mean() for k in (-28, 0)
        ]
        moved = (
            learn_season(log, day * DAY_S, 28.0).shift(TARGETS["purchase"]).values(np.array([rates[0]]))[0]
        )
        wins.append(abs(moved - rates[1]) < abs(rates[0] - rates[1]))
    assert np.mean(wins) > 0.6


def test_no_season_moves_next_to_nothing() -> None:
    moves = [learn_season(shop(0.0, seed=seed), 1000 * DAY_S, 28.0).log_ratio for seed in range(8)]
    assert np.median(np.abs(moves)) < 0.02


def test_too_young_a_shop_is_left_alone() -> None:
    found = learn_season(shop(0.8, days=400), 400 * DAY_S, 28.0)
    assert (found.code, found.log_ratio, found.spread) == ("short", 0.0, 0.0)
    assert "4 earlier windows" in found.reason
    assert year_ago(shop(0.8, days=300), 300 * DAY_S, 28.0) is None
    assert learn_season(EventLog.build([], [], [], n_customers=2, n_products=1), 5.0, 28.0) == Season()


def test_windows_that_overlap_count_by_what_is_new() -> None:
    """Of 84 days, three windows of 28 days' step make one: four windows are not enough to judge by."""
    log = shop(0.8, customers=1_000)
    enough, few = (learn_season(log, day * DAY_S, 84.0) for day in (1050, 800))
    assert enough.code != "short"
    assert few.code == "short"
    assert few.windows >= LEAST_WINDOWS


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1_000), day=st.integers(600, 1_000))
def test_later_events_change_nothing(seed: int, day: int) -> None:
    whole = shop(0.5, seed=seed, customers=120)
    moment = day * DAY_S
    assert learn_season(whole, moment, 28.0) == learn_season(whole.before(moment), moment, 28.0)


def test_by_hand() -> None:
    """Two buyers in the four weeks before the same day last year, six in those after it."""
    moment = 500 * DAY_S
    middle = moment - 364 * DAY_S
    before, after = middle - np.array([3, 20]) * DAY_S, middle + np.arange(6) * 4.5 * DAY_S
    at = np.r_[1.0, before, after, moment - 1]
    log = EventLog.build(np.arange(len(at)), np.zeros(len(at)), at, n_customers=len(at), n_products=1)
    assert year_ago(log, moment, 28.0) == pytest.approx(np.log(3))
    same = EventLog.build(np.zeros(len(at)), np.zeros(len(at)), at, n_customers=1, n_products=1)
    assert year_ago(same, moment, 28.0) == pytest.approx(np.log(4 / 2))  # weeks with the buyer


def test_churn_is_the_absence_of_orders() -> None:
    log = shop(0.8, customers=3_000)
    orders = learn_season(log, 1050 * DAY_S, 28.0)
    stays = learn_season(log, 1050 * DAY_S, 28.0, TARGETS["churn"])
    assert stays == orders
    p = np.array([0.3])
    absent = orders.shift(TARGETS["churn"]).values(1 - p)
    assert absent == pytest.approx(1 - orders.shift(TARGETS["purchase"]).values(p))
