"""What is known of the shopper at the moment of asking: trained history, live events, products being looked at."""

from __future__ import annotations

import numpy as np

from storewise.data.interactions import Floats, Histories, Ints, Weights
from storewise.engine.recommend.answer import Ask, Shopper
from storewise.engine.serving.live import WEIGHTS, LiveEvent
from storewise.engine.serving.rules import past_of
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Mask

HOUR_S, DAY_S = 3_600.0, 86_400.0


def join(snapshot: Snapshot, ask: Ask, live: tuple[LiveEvent, ...], now: float, eligible: Mask) -> Shopper:
    """Trained history, live events and the products being looked at; applies the rules on repeats."""
    policy, index = snapshot.pipeline.policy, snapshot.catalogue.index
    customer = snapshot.customer_index.get(ask.customer, -1) if ask.customer is not None else -1
    rows = snapshot.history(customer) if customer >= 0 else slice(0, 0)
    trained = snapshot.histories
    products, at, weight = trained.products[rows], trained.at[rows], trained.weight[rows]
    bought, bought_at = products, at
    signs = [(index[e.product_id], e.at, e.kind) for e in live if e.kind in WEIGHTS and e.product_id in index]
    signs += [(index[name], now, "view") for name in ask.context if name in index]
    fresh: Histories | None = None
    if signs:
        new = np.array([sign[0] for sign in signs], np.int32)
        new_at = np.array([sign[1] for sign in signs])
        new_weight = np.array([WEIGHTS[sign[2]] for sign in signs], np.float32)
        recent = new_at >= now - policy.live_hours * HOUR_S
        if len(products) and recent.any():
            fresh = _single(snapshot, -1, now, new[recent], new_at[recent], new_weight[recent])
        purchase = np.array([sign[2] == "purchase" for sign in signs])
        bought = np.concatenate([bought, new[purchase]])
        bought_at = np.concatenate([bought_at, new_at[purchase]])
        products, at = np.concatenate([products, new]), np.concatenate([at, new_at])
        weight = np.concatenate([weight, new_weight])
        if np.any(np.diff(at) < 0):
            order = np.argsort(at, kind="stable")
            products, at, weight = products[order], at[order], weight[order]
    if policy.repeats == "hide":
        eligible[bought] = False
    elif policy.rest_days:
        eligible[bought[bought_at > now - policy.rest_days * DAY_S]] = False
    known = customer if customer < snapshot.n_trained else -1
    past = None
    if snapshot.rules is not None:
        looks = [sign for sign in signs if sign[2] != "purchase"]
        seen = np.array([sign[0] for sign in looks], np.int64), np.array([sign[1] for sign in looks])
        kept = (bought.astype(np.int64), bought_at)
        past = past_of(snapshot.counted, kept, seen, now)
    return Shopper(_single(snapshot, known, now, products, at, weight), fresh, past, bought)


def _single(
    snapshot: Snapshot, customer: int, now: float, products: Ints, at: Floats, weight: Weights
) -> Histories:
    return Histories.single(
        products, n_products=len(snapshot.catalogue), at=at, weight=weight, now=now, customer=customer
    )


def context_of(snapshot: Snapshot, ask: Ask) -> tuple[int, ...]:
    index = snapshot.catalogue.index
    return tuple(index[name] for name in ask.context if name in index)
