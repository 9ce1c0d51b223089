"""No later event can change a feature, and serving computes what training computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.predict.cases import rows_of
from storewise.predict.features import (
    EventLog,
    FactsConfig,
    Shelf,
    ShopFacts,
    Trails,
    customer_rows,
    pair_rows,
)
from storewise.predict.features.events import DAY_S, KINDS
from storewise.predict.targets import TARGETS, Cases, customer_cases, moment_cases, pair_cases

CUSTOMERS, PRODUCTS, NOW = 8, 6, 400 * DAY_S
CONFIG = FactsConfig(text_size=3, neighbours=4)


def columns(n: int, rng: np.random.Generator, start: float, stop: float) -> dict[str, np.ndarray]:
    return {
        "customers": rng.integers(-1, CUSTOMERS + 2, n),
        "products": rng.integers(0, PRODUCTS, n),
        "at": rng.uniform(start, stop, n),
        "kinds": rng.choice([1, 2, 3, 4, 4, 4, 5], n),
        "quantity": rng.integers(1, 5, n).astype(float),
        "spend_minor": rng.uniform(100, 900, n),
    }


def log_of(*parts: dict[str, np.ndarray]) -> EventLog:
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return EventLog.build(**joined, n_customers=CUSTOMERS, n_products=PRODUCTS)


def shelf() -> Shelf:
    text = np.random.default_rng(9).normal(size=(PRODUCTS, 5)).astype(np.float32)
    return Shelf(np.array([0, 0, 1, 1, 2, -1]), text)


def every_row(log: EventLog) -> list[np.ndarray]:
    facts = ShopFacts.of(log, shelf(), NOW, CONFIG)
    who = np.arange(CUSTOMERS)
    trails = log.trails(who, NOW)
    rows, products = np.repeat(who, PRODUCTS), np.tile(np.arange(PRODUCTS), CUSTOMERS)
    return [
        customer_rows(trails, facts, text="full").numbers,
        customer_rows(trails, facts, text="full").vectors["taste"],
        pair_rows(trails, facts, rows, products, text="full").numbers,
    ]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), later=st.integers(1, 80))
def test_later_events_change_nothing(seed, later):
    rng = np.random.default_rng(seed)
    past = columns(int(rng.integers(5, 90)), rng, 0.0, NOW)
    future = columns(later, rng, NOW, NOW + 300 * DAY_S)
    future["at"][0] = NOW  # the moment itself is not the past
    for before, after in zip(every_row(log_of(past)), every_row(log_of(past, future)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_earlier_event_does_change_something():
    """The test above could not fail if features looked at nothing."""
    rng = np.random.default_rng(1)
    past, more = columns(60, rng, 0.0, NOW), columns(20, rng, 0.0, NOW)
    pairs = zip(every_row(log_of(past)), every_row(log_of(past, more)), strict=True)
    assert not any(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("name", ["purchase", "product", "return"])
def test_serving_rows_are_training_rows(name):
    """Rows of cases in bulk against each shopper alone, made from loose events in any order."""
    rng = np.random.default_rng(5)
    log = log_of(columns(400, rng, 0.0, NOW + 60 * DAY_S))
    facts, target = ShopFacts.of(log, shelf(), NOW, CONFIG), TARGETS[name]
    if target.unit == "customer":
        cases = customer_cases(target, log, NOW, 28)
    elif target.unit == "pair":
        cases = pair_cases(log, facts, NOW, 28, rng=rng)
    else:
        cases = moment_cases(target, log, NOW, NOW + 28 * DAY_S, rng=rng)
    bulk = rows_of(target, log, facts, cases)
    assert len(bulk) == len(cases) > 3
    for place in range(len(cases)):
        mine = np.flatnonzero(log.customers == cases.customers[place])
        mine = rng.permutation(mine)
        trail = Trails.single(
            log.products[mine], log.kinds[mine], log.at[mine], log.quantity[mine], log.spend_minor[mine],
            now=float(cases.at[place]),
        )  # fmt: skip
        if target.unit == "customer":
            alone = customer_rows(trail, facts)
        else:
            alone = pair_rows(trail, facts, [0], cases.products[place : place + 1])
        np.testing.assert_array_equal(alone.numbers[0], bulk.numbers[place])


def test_a_trail_refuses_what_comes_later():
    trail = EventLog.build([0], [0], [5.0], n_customers=1, n_products=1).trails([0], 9.0)
    with pytest.raises(DataError, match="at or after its moment"):
        Trails(trail.indptr, trail.products, trail.kinds, trail.at, trail.quantity, trail.spend_minor,
               np.array([5.0]), trail.customers)  # fmt: skip


def test_by_hand():
    """One customer: orders on days 0, 10 and 30 (two lines on day 10), a return, asked on day 40."""
    log = EventLog.build(
        [0] * 5, [0, 0, 1, 2, 1], np.array([0, 10, 10, 30, 31]) * DAY_S, n_customers=1, n_products=3,
        kinds=[4, 4, 4, 4, KINDS.index("return")], quantity=[1, 2, 1, 1, 1],
        spend_minor=[100, 200, 300, 50, 300],
    )  # fmt: skip
    facts = ShopFacts.of(log, Shelf(np.array([0, 0, 1])), 40 * DAY_S)
    rows = customer_rows(log.trails([0], 40 * DAY_S), facts)
    found = dict(zip(rows.number_names, rows.numbers[0].tolist(), strict=True))
    wanted = {
        "recency_days": 10, "tenure_days": 40, "orders_14": 1, "orders_28": 1, "orders_56": 3, "gap_mean_days": 15,
        "gap_spread_days": np.sqrt(50), "gap_last_days": 20, "orders_log": np.log(4), "spend_log": np.log1p(650),
        "products_log": np.log(4), "categories": 2, "return_share": 0.2, "return_recency_days": 9,
        "repeat_share": 0.25, "lines_mean": 4 / 3,
    }  # fmt: skip
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    pair = pair_rows(log.trails([0], 40 * DAY_S), facts, [0, 0], [0, 2])
    own = dict(zip(pair.number_names, pair.numbers.T.tolist(), strict=True))
    assert own["own_orders"] == [2, 1]
    assert own["own_recency_days"] == [30, 10]
    assert own["own_gap_mean_days"][0] == 10
    assert own["own_orders_since"] == [1, 0]
    assert own["own_units_mean"] == [1.5, 1]


def test_nobody_and_nothing():
    """A shopper without events, and a shop without any: rows all the same."""
    log = EventLog.build([], [], [], n_customers=2, n_products=3)
    facts = ShopFacts.of(log, Shelf(np.full(3, -1)), 5.0)
    trails = log.trails([0, -1, 7], 5.0)
    assert len(customer_rows(trails, facts)) == 3
    assert len(pair_rows(trails, facts, [0, 2], [1, 1])) == 2
    again = ShopFacts.restore(facts.state())
    np.testing.assert_array_equal(customer_rows(trails, again).numbers, customer_rows(trails, facts).numbers)


def test_a_part_of_cases():
    cases = Cases(np.arange(3), np.arange(3), np.zeros(3), np.array([0.0, 1.0, 0.0]))
    assert cases.part(np.array([1])).labels.tolist() == [1.0]
