"""Features of products in lists: by hand, and against a loop."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.predict.features import EventLog, Shelf, ShopFacts, pair_rows
from storewise.predict.features.events import CODE, DAY_S
from storewise.predict.features.lists import ListFacts
from storewise.predict.features.shown import Shown

SHOWN, CLICK = CODE["impression"], CODE["click"]


def columns(log: EventLog, now: float, products: list[int], **options: float) -> dict[str, list[float]]:
    facts = ShopFacts.of(log, Shelf(np.full(log.n_products, -1)), now)
    shown = Shown.reference(facts, len(products), signed_in=True, **options)
    rows = pair_rows(log.trails([0], now), facts, np.zeros(len(products), int), products, shown=shown)
    return dict(zip(rows.number_names, rows.numbers.T.tolist(), strict=True))


def test_what_was_seen_before_by_hand() -> None:
    """Product 0 shown on days 1, 3 and 9.5, clicked on day 3; product 1 shown on day 9; asked on day 10."""
    log = EventLog.build(
        [0] * 5, [0, 0, 0, 1, 0], np.array([1, 3, 3.001, 9, 9.5]) * DAY_S, n_customers=1, n_products=3,
        kinds=[SHOWN, SHOWN, CLICK, SHOWN, SHOWN], spend_minor=[200, 200, np.nan, 400, 200],
    )  # fmt: skip
    found = columns(log, 10 * DAY_S, [0, 1, 2], price_minor=300.0, position=3)
    assert np.expm1(found["shown_before_log"]).round(5).tolist() == [3, 1, 0]
    assert np.expm1(found["shown_since_click_log"]).round(5).tolist() == [1, 1, 0]
    assert np.expm1(found["shown_1d_log"]).round(5).tolist() == [1, 1, 0]
    assert found["shown_recency_days"][:2] == [0.5, 1.0]
    assert np.isnan(found["shown_recency_days"][2])
    assert np.expm1(found["shown_position_log"]).round(5).tolist() == [3, 3, 3]
    assert np.expm1(found["shopper_shown_log"]).round(5).tolist() == [4, 4, 4]
    assert np.expm1(found["product_shown_log"]).round(5).tolist() == [3, 1, 0]
    assert found["signed_in"] == [1, 1, 1]
    assert found["now_hour_cos"] == pytest.approx([1, 1, 1])  # midnight


def test_the_price_shown_and_the_discount() -> None:
    """Bought at 400 before, shown at 300: three quarters of the usual price. Impressions without prices: unknown."""
    kinds = [CODE["purchase"], SHOWN]
    log = EventLog.build(
        [0, 0], [0, 0], [0.0, DAY_S], n_customers=1, n_products=1, kinds=kinds, spend_minor=[400, 400]
    )
    found = columns(log, 2 * DAY_S, [0], price_minor=300.0)
    assert np.exp(found["shown_discount"]) == pytest.approx([0.75])
    bare = EventLog.build(
        [0, 0], [0, 0], [0.0, DAY_S], n_customers=1, n_products=1, kinds=kinds, spend_minor=[400, np.nan]
    )
    assert np.isnan(columns(bare, 2 * DAY_S, [0], price_minor=300.0)["shown_discount"]).all()


def test_clicks_against_places_against_a_loop() -> None:
    rng = np.random.default_rng(2)
    n, now = 400, 100 * DAY_S
    at = np.sort(rng.uniform(0, now, n))
    places = rng.integers(0, 4, n)
    products = (places + rng.integers(0, 3, n)) % 6
    clicks = np.flatnonzero(rng.random(n) < 0.5 / (1 + places))
    log = EventLog.build(
        np.r_[np.zeros(n, int), np.zeros(len(clicks), int)], np.r_[products, products[clicks]],
        np.r_[at, at[clicks] + 10], kinds=np.r_[np.full(n, SHOWN), np.full(len(clicks), CLICK)],
        positions=np.r_[places, places[clicks]], n_customers=1, n_products=6,
    )  # fmt: skip
    found = ListFacts.of(log, now)
    counted = [i for i in range(n) if now - 91 * DAY_S <= at[i] < now - 1_800]
    hits = {
        i: any(products[j] == products[i] and 0 <= at[j] + 10 - at[i] <= 1_800 for j in clicks)
        for i in counted
    }
    rate = sum(hits.values()) / len(counted)
    by_place = {}
    for place in range(4):
        mine = [i for i in counted if places[i] == place]
        by_place[place] = (sum(hits[i] for i in mine) + 20 * rate) / (len(mine) + 20)
    for product in range(6):
        mine = [i for i in counted if products[i] == product]
        assert found.shown[product] == len(mine)
        assert found.clicked[product] == sum(hits[i] for i in mine)
        assert found.expected[product] == pytest.approx(sum(by_place[places[i]] for i in mine))
    assert found.rate == pytest.approx(rate)


def test_slots_and_sources_that_are_not_known_are_unseen_or_missing() -> None:
    log = EventLog.build(
        [0, 0, 0], [0, 0, 0], [0.0, 1.0, 2.0], n_customers=1, n_products=1, kinds=[SHOWN] * 3, slots=[0, 1, 1],
        slot_names=("home", "cart"),
    )  # fmt: skip
    facts = ShopFacts.of(log, Shelf(np.full(1, -1)), DAY_S)
    codes = {
        slot: Shown.reference(facts, 1, signed_in=False, slot=slot).categories(facts)
        for slot in (None, "home", "cart", "footer")
    }
    assert {slot: found[0].tolist() for slot, found in codes.items()} == {
        None: [[2]], "home": [[1]], "cart": [[2]], "footer": [[0]],
    }  # fmt: skip
    assert codes[None][1:] == (("shown_slot",), (3,))
    assert ShopFacts.restore(facts.state()).slot_names == ("home", "cart")


def test_before_anything_was_shown() -> None:
    log = EventLog.build([0], [0], [0.0], n_customers=1, n_products=2)
    found = columns(log, DAY_S, [0, 1])
    assert np.isnan(found["product_click_gain"]).all()
    assert np.isnan(found["shopper_click_gain"]).all()
    assert found["shown_before_log"] == [0, 0]
