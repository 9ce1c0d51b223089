"""Clicks whose model is known: what is learned from impressions recovers the effect of the place."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.progress import Silent
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.predictions.learn import learn
from storewise.engine.predictions.learned import Learned
from storewise.engine.registry import registry
from storewise.predict.features import EventLog, ShopFacts, pair_rows
from storewise.predict.features.events import CODE
from storewise.predict.features.shown import Shown
from storewise.predict.targets import TARGETS, moment_cases
from storewise.testing.clicks import ClickWorld


def click(world: ClickWorld, sessions: int, **options: float) -> tuple[Learned, ShopFacts, EventLog]:
    shop = world.shop(sessions, **options)
    config = PredictConfig(targets=("click",), cases=20_000, windows=2)
    made = learn(shop, config, registry(), seed=1, progress=Silent())
    assert made is not None
    return made[0].learned["click"], made[0].facts, EventLog.of(shop)


def by_place(learned: Learned, facts: ShopFacts, log: EventLog, places: int) -> np.ndarray:
    """(places, products): predicted clicks of somebody new, each product at each place."""
    products = np.arange(facts.n_products)
    trails = log.trails(np.full(1, -1), facts.now)
    found = []
    for place in range(places):
        shown = Shown.reference(facts, len(products), signed_in=False, position=place)
        rows = pair_rows(trails, facts, np.zeros(len(products), int), products, shown=shown)
        found.append(learned(rows).value)
    return np.array(found)


@pytest.mark.parametrize("sorting", [0.0, 1.0])
def test_the_effect_of_the_place_is_recovered(sorting: float) -> None:
    """Also where good products stand first."""
    world = ClickWorld.of(products=12, places=4, decay=1.0, sorting=sorting)
    learned, facts, log = click(world, 6_000)
    assert learned.predictor is not None
    found = by_place(learned, facts, log, len(world.examination))
    effect = found.mean(axis=1) / found.mean(axis=1)[0]
    np.testing.assert_allclose(effect, world.examination, atol=0.08)
    # At the first place, clicks are the attractions.
    assert np.corrcoef(found[0], world.attraction)[0, 1] > 0.85
    assert abs(found[0].mean() - world.attraction.mean()) < 0.05


def test_customers_and_sessions_are_both_cases() -> None:
    """Half of the lists are seen by anonymous sessions; nothing of them is dropped."""
    shop = ClickWorld.of(products=6, places=3).shop(400, signed=0.5, seed=3)
    log = EventLog.of(shop)
    cases = moment_cases(TARGETS["click"], log, log.start, log.end + 1, rng=np.random.default_rng(0))
    assert len(cases) == 1_200
    assert cases.shown is not None
    signed = cases.customers < log.n_customers
    assert 0.3 < signed.mean() < 0.7
    assert cases.shown.signed_in.tolist() == signed.tolist()
    assert cases.labels.sum() == (log.kinds == CODE["click"]).sum()
    assert sorted(np.unique(cases.shown.positions).tolist()) == [0, 1, 2]


def test_somebody_who_signs_in_to_pay_is_who_clicked() -> None:
    """A click of a session and the purchase of the customer in it; another session's purchase is not theirs."""
    log = EventLog.build(
        [-1, 0, -1, 1], [0, 0, 0, 0], [0.0, 60.0, 100.0, 160.0], kinds=[CODE["click"], CODE["purchase"]] * 2,
        sessions=[0, 0, 1, 2], n_customers=2, n_products=1,
    )  # fmt: skip
    cases = moment_cases(TARGETS["purchase_clicked"], log, 0.0, 1e4, rng=np.random.default_rng(0))
    assert cases.customers.tolist() == [2, 3]
    assert cases.labels.tolist() == [1.0, 0.0]
