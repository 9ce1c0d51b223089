"""Outcomes by hand and against a slow reference."""

from __future__ import annotations

import numpy as np

from storewise.predict.features import EventLog, Shelf, ShopFacts
from storewise.predict.features.events import CODE, DAY_S
from storewise.predict.targets import (
    RETURN_DAYS,
    TARGETS,
    churn_days,
    customer_cases,
    moment_cases,
    pair_cases,
)


def small() -> EventLog:
    """Customer 0 buys on days 1, 20 and 40, customer 1 on day 2, customer 2 first on day 35."""
    return EventLog.build(
        [0, 0, 0, 1, 2], [0, 1, 0, 0, 2], np.array([1, 20, 40, 2, 35]) * DAY_S, n_customers=3, n_products=3,
        spend_minor=[10, 20, 40, 5, 7],
    )  # fmt: skip


def test_customer_outcomes():
    log = small()
    bought = customer_cases(TARGETS["purchase"], log, 30 * DAY_S, 28)
    assert bought.customers.tolist() == [0, 1]  # the third is not known yet
    assert bought.labels.tolist() == [1, 0]
    assert customer_cases(TARGETS["churn"], log, 30 * DAY_S, 28).labels.tolist() == [0, 1]
    assert customer_cases(TARGETS["value"], log, 30 * DAY_S, 28).labels.tolist() == [40, 0]
    assert customer_cases(TARGETS["purchase"], log, 30 * DAY_S, 10).labels.tolist() == [
        0,
        0,
    ]  # day 40 is outside


def test_pairs_hold_what_was_bought_and_its_outcome():
    log = small()
    facts = ShopFacts.of(log, Shelf(np.full(3, -1)), 30 * DAY_S)
    cases = pair_cases(log, facts, 30 * DAY_S, 28, rng=np.random.default_rng(0))
    found = {(c, p): y for c, p, y in zip(cases.customers, cases.products, cases.labels, strict=True)}
    assert found[0, 0] == 1
    assert found[0, 1] == 0
    assert found[1, 0] == 0


def test_moments_against_a_loop():
    rng = np.random.default_rng(0)
    n = 600
    log = EventLog.build(
        rng.integers(-1, 12, n), rng.integers(0, 4, n), rng.uniform(0, 200 * DAY_S, n), n_customers=10,
        n_products=4, kinds=rng.choice([CODE["purchase"], CODE["return"]], n),
    )  # fmt: skip
    cases = moment_cases(TARGETS["return"], log, 50 * DAY_S, 90 * DAY_S, rng=rng)
    back = log.kinds == CODE["return"]
    for who, what, at, label in zip(cases.customers, cases.products, cases.at, cases.labels, strict=True):
        mine = back & (log.customers == who) & (log.products == what)
        wait = log.at[mine] - at
        assert label == float(((wait >= 0) & (wait <= RETURN_DAYS * DAY_S)).any())
    assert 0 < cases.labels.mean() < 1
    assert (cases.customers >= 0).all()
    assert (cases.customers < 10).all()


def test_clicks_of_impressions():
    shown, click = CODE["impression"], CODE["click"]
    log = EventLog.build(
        [0, 0, 0, 0], [1, 1, 2, 2], [0.0, 60.0, 100.0, 9_000.0], n_customers=1, n_products=3,
        kinds=[shown, click, shown, click],
    )  # fmt: skip
    cases = moment_cases(TARGETS["click"], log, 0.0, 1e5, rng=np.random.default_rng(0))
    assert cases.labels.tolist() == [1, 0]  # the second click came too late


def test_what_a_shop_cannot_have():
    log = small()
    assert TARGETS["purchase"].missing(log) is None
    assert TARGETS["return"].missing(log) == "not predictable from this shop: no returns"
    bare = EventLog.build([0], [0], [1.0], n_customers=1, n_products=1)
    assert TARGETS["value"].missing(bare) == "not predictable from this shop: no prices"


def test_churn_of_a_shop_with_one_order():
    assert churn_days(EventLog.build([0], [0], [1.0], n_customers=1, n_products=1)) == 14.0
