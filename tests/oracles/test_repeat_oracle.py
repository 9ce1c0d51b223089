"""Repurchase chances against the log-normal law and against shoppers simulated by it."""

from __future__ import annotations

import numpy as np
from scipy import stats

from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.request import Request
from storewise.recommend.retrieve.repeat import Repeat, RepeatConfig

DAY = 86_400.0


def bought(days, product=0, n_products=3, now=0.0):
    products = np.full(len(days), product)
    return Histories.single(products, at=np.array(days, float) * DAY, n_products=n_products, now=now * DAY)


def simulated(seed=0, customers=3000, days=400):
    """Product 0 every 20 days or so, 1 every 60, 2 hardly ever again; log-normal gaps, spread 0.4."""
    rng = np.random.default_rng(seed)
    who, what, at = [], [], []
    for customer in range(customers):
        for product, (gap, again) in enumerate([(20, 0.9), (60, 0.9), (60, 0.05)]):
            time = rng.random() * 100
            while time < days:
                who.append(customer), what.append(product), at.append(time * DAY)
                if rng.random() > again:
                    break
                time += np.exp(np.log(gap) + 0.4 * rng.standard_normal())
    return Dataset.of(who, what, at=at, n_customers=customers, n_products=3)


def test_the_formula():
    model = Repeat(RepeatConfig(horizon_days=10, prior_gaps=1))
    model.restore(
        {"log_gap": np.log([20.0, 60, 60]), "again": np.array([0.8, 0.8, 0.1]), "spread": np.array([0.5])}
    )
    found = model.scores(bought([0, 30, 60], now=75))[0]
    centre = (2 * np.log(30) + np.log(20)) / 3
    r = (2 + 0.8) / 3
    law = stats.lognorm(s=0.5, scale=np.exp(centre))
    expected = r * (law.cdf(25) - law.cdf(15)) / (1 - r * law.cdf(15))
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    assert np.isneginf(found[1:]).all()


def test_learns_the_law_that_made_the_data():
    model = Repeat()
    model.train(simulated(), rng=np.random.default_rng(0))
    state = model.state()
    np.testing.assert_allclose(np.exp(state["log_gap"][:2]), [20, 60], rtol=0.06)
    assert state["again"][0] > 0.8 > 0.15 > state["again"][2]


def test_chances_are_calibrated_on_simulated_shoppers():
    whole = simulated(1)
    now, horizon = 250.0, 14.0
    past = whole.until(now * DAY)
    model = Repeat(RepeatConfig(horizon_days=horizon))
    model.train(past, rng=np.random.default_rng(0))
    chance = model.scores(past.histories(np.arange(3000), now=now * DAY))
    later = whole.interactions
    inside = (later.at >= now * DAY) & (later.at < (now + horizon) * DAY)
    happened = np.zeros(chance.shape, bool)
    happened[later.customers[inside], later.products[inside]] = True
    for low, high in ((0, 0.1), (0.1, 0.4), (0.4, 1)):
        group = (chance > low) & (chance <= high)
        assert group.sum() > 100
        assert abs(chance[group].mean() - happened[group].mean()) < 0.08


def test_due_products_come_first_and_the_reason_is_the_shoppers_own_gap():
    model = Repeat()
    model.train(simulated(), rng=np.random.default_rng(0))
    history = Histories.single(
        [0, 0, 1, 1, 2], at=np.array([0, 20, 0, 60, 90]) * DAY, n_products=3, now=112 * DAY
    )
    answer = model(Request(history), 3)
    assert answer.products[0] == 1  # 52 of 60 days have passed; product 0 is long overdue, 2 is bought once
    every = dict(zip(answer.products.tolist(), [r.value for r in answer.reasons], strict=True))
    assert every == {0: 20.0, 1: 60.0, 2: None}


def test_two_lines_of_one_day_are_one_purchase_and_min_purchases_holds():
    model = Repeat(RepeatConfig(min_purchases=2))
    model.train(simulated(), rng=np.random.default_rng(0))
    assert len(model(Request(bought([5, 5.2], now=20)), 3)) == 0
    answer = model(Request(bought([5, 5.2, 25], now=40)), 3)
    np.testing.assert_allclose(answer.reasons[0].value, 19.8)
