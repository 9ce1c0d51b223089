"""A shop's tables at a moment, with and without what came later: no feature of the moment may differ.

Later are: events of every kind (cancellations and other prices among them), sign-ins into sessions that were
anonymous, second customers in sessions that were somebody's, orders that arrive late, new products, edits of the
catalogue. No feature reads stock or consent, so that those can change nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.data.schema import EVENTS, KINDS, PRODUCTS
from storewise.data.shop import build
from storewise.predict.features import EventLog, FactsConfig, Shelf, ShopFacts, customer_rows, pair_rows
from storewise.predict.features.shown import Shown

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=120)
PRODUCTS_SOLD = [f"p{i}" for i in range(6)]
CUSTOMERS = [f"c{i}" for i in range(5)]
SESSIONS = [f"s{i}" for i in range(8)]
CONFIG = FactsConfig(text_size=1, neighbours=4)
Rows = list[dict[str, Any]]


def some_events(rng: np.random.Generator, n: int, start: datetime, days: float) -> Rows:
    rows = []
    for _ in range(n):
        session = str(rng.choice(SESSIONS)) if rng.random() < 0.8 else None
        customer = str(rng.choice(CUSTOMERS)) if rng.random() < (0.3 if session else 0.9) else None
        shown = rng.random() < 0.5
        rows.append(
            {
                "at": start + timedelta(days=float(rng.uniform(0, days))),
                "session_id": session,
                "customer_id": customer,
                "product_id": str(rng.choice(PRODUCTS_SOLD)),
                "kind": str(rng.choice(["impression", "impression"] if shown else list(KINDS[:6]))),
                "quantity": int(rng.integers(1, 4)),
                "unit_price_minor": int(rng.integers(100, 900)),
                "slot": str(rng.choice(["home", "cart"])) if shown else None,
                "position": int(rng.integers(0, 5)) if shown else None,
            }
        )
    return rows


def catalogue(*, edited: tuple[int, ...] = (), more: int = 0) -> pl.DataFrame:
    rows = [
        {
            "product_id": name,
            "title": f"{'new' if place in edited else 'old'} {name}",
            "category": f"new{place}" if place in edited else f"k{place % 3}",
            "price_minor": 5 if place in edited else 100 * place,
        }
        for place, name in enumerate(PRODUCTS_SOLD)
    ] + [{"product_id": f"a{i}", "title": "x", "category": "a", "price_minor": 1} for i in range(more)]
    return PRODUCTS.conform(pl.DataFrame(rows))


def vectors(products: pl.DataFrame) -> np.ndarray:
    seeds = [sum(map(ord, title)) for title in products["title"].to_list()]
    return np.stack([np.random.default_rng(seed).normal(size=5) for seed in seeds]).astype(np.float32)


def features(rows: Rows, products: pl.DataFrame, past: pl.DataFrame | None = None) -> dict[str, np.ndarray]:
    """Shopper → the features of them and of all products with them, as of NOW, by name."""
    events = EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.schema())).sort("at", maintain_order=True)
    shop = build(products, events)
    log = EventLog.of(shop)
    past_text = None if past is None else vectors(past)
    shelf = Shelf.of(shop, vectors(shop.products), past, past_text)
    now = NOW.timestamp()
    facts = ShopFacts.of(log, shelf, now, CONFIG)
    names = list(shop.customer_ids) + shop.extra["sessions"]["session_id"].to_list()
    places = [shop.product_index[name] for name in PRODUCTS_SOLD]
    found = {}
    for actor, name in enumerate(names):
        trails = log.trails([actor], now)
        if not len(trails.at):
            continue
        shown = Shown.reference(facts, len(places), signed_in=actor < log.n_customers, price_minor=250.0)
        pairs = pair_rows(trails, facts, np.zeros(len(places), int), places, text="full", shown=shown)
        found[name] = np.concatenate(
            [
                customer_rows(trails, facts).numbers.ravel(),
                pairs.numbers.ravel(),
                pairs.vectors["text"].ravel(),
            ]
        )
    return found


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(20, 120), later=st.integers(1, 60))
def test_nothing_that_comes_later_can_be_seen(seed: int, n: int, later: int) -> None:
    rng = np.random.default_rng(seed)
    past = some_events(rng, n, START, 120)
    after = some_events(rng, later, NOW, 60)
    after[0]["at"] = NOW  # the moment itself is not the past
    sign_ins = [
        {"at": NOW + timedelta(minutes=i), "session_id": session, "customer_id": str(rng.choice(CUSTOMERS)),
         "product_id": "p0", "kind": "view"}
        for i, session in enumerate(SESSIONS)
    ]  # fmt: skip
    late = some_events(rng, 10, START + timedelta(days=60), 60)
    for row in late:
        row["known_at"] = NOW + timedelta(hours=float(rng.uniform(0, 99)))
    edited = tuple(int(place) for place in rng.choice(len(PRODUCTS_SOLD), 2, replace=False))
    replaced = catalogue()[list(edited)].with_columns(pl.lit(NOW).dt.cast_time_unit("us").alias("until"))
    before = features(past, catalogue())
    for rows, products, old in (
        (past + after + sign_ins, catalogue(), None),
        (past + late, catalogue(), None),
        (past, catalogue(edited=edited), replaced),
        (past + after + sign_ins + late, catalogue(edited=edited, more=2), replaced),
    ):
        found = features(rows, products, old)
        assert before.keys() == found.keys()
        for name, wanted in before.items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-6, err_msg=name)


def test_each_of_them_can_be_seen_once_it_is_known() -> None:
    """The test above could not fail if these changed nothing at any time."""
    rng = np.random.default_rng(0)
    past = some_events(rng, 80, START, 100)
    earlier = NOW - timedelta(days=5)
    before = features(past, catalogue())
    sign_in = [
        {"at": earlier, "session_id": s, "customer_id": "c0", "product_id": "p0", "kind": "view"}
        for s in SESSIONS
    ]
    late = [row | {"known_at": earlier} for row in some_events(rng, 10, START, 60)]
    edited = catalogue()[[0, 1]].with_columns(pl.lit(earlier).dt.cast_time_unit("us").alias("until"))
    for rows, products, old in ((past + sign_in, catalogue(), None), (past + late, catalogue(), None),
                                (past, catalogue(edited=(0, 1)), edited)):  # fmt: skip
        found = features(rows, products, old)
        same = [
            name in before and np.array_equal(found[name], before[name], equal_nan=True) for name in found
        ]
        assert not all(same)


def test_a_session_is_the_customers_from_the_sign_in_until_somebody_else_signs_in() -> None:
    """By hand: a view on day 1, amy signs in on day 2, a view on day 3, bob signs in on day 4, a view on day 5."""
    day = 86_400.0
    log = EventLog.build(
        [-1, 0, -1, 1, -1], [0, 1, 2, 3, 4], np.arange(1, 6) * day, kinds=[1] * 5, sessions=[0] * 5, n_customers=2,
        n_products=5,
    )  # fmt: skip
    amy, bob, session = 0, 1, 2

    def seen(actor: int, at: float) -> list[int]:
        return log.trails([actor], at * day).products.tolist()

    assert [seen(amy, at) for at in (1.5, 2, 2.5, 3.5, 4.5)] == [[], [], [0, 1], [0, 1, 2], [1]]
    assert [seen(session, at) for at in (1.5, 2, 2.5, 3.5, 4.5, 5.5)] == [[0], [0], [], [], [0, 2], [0, 2, 4]]
    assert [seen(bob, at) for at in (4, 4.5, 9)] == [[], [3], [3]]
    for at in np.arange(0.25, 7, 0.25):
        everybody = sorted(product for actor in (amy, bob, session) for product in seen(actor, at))
        assert everybody == [p for p in range(5) if (p + 1) < at], "every event is one actor's at any moment"


def test_erasing_a_customer_leaves_the_trails_of_others() -> None:
    rng = np.random.default_rng(8)
    rows = some_events(rng, 150, START, 119)
    kept = [row for row in rows if row["customer_id"] != "c1"]

    def trail(rows: Rows, name: str) -> list[tuple[str, float]]:
        events = EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.schema())).sort("at", maintain_order=True)
        shop = build(catalogue(), events)
        found = EventLog.of(shop).trails([shop.customer_index[name]], NOW.timestamp())
        return [(shop.product_ids[p], at) for p, at in zip(found.products, found.at, strict=True)]

    for name in ("c0", "c2", "c3"):
        signed = {row["at"].timestamp() for row in rows if row["customer_id"] == name}
        assert [one for one in trail(kept, name) if one[1] in signed] == [
            one for one in trail(rows, name) if one[1] in signed
        ]
