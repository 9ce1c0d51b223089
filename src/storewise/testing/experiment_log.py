"""A decision log and the events after it, with an effect that is known, for tests of whatever reads experiments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from storewise.data.stores import Store
from storewise.engine.experiment.config import Experiment

Row = dict[str, Any]


def write_log(
    store: Store,
    experiment: Experiment,
    *,
    start: datetime,
    days: int = 14,
    shoppers: int = 400,
    buys: Mapping[str, float],
    seed: int = 1,
    assign: bool = True,
) -> None:
    """``shoppers`` come in evenly over ``days``; each sees two lists, opens the first product of the first with 0.4,
    and buys with ``buys[variant]`` within a day. What shoppers spent before decides what they spend now.

    ``assign`` false: a broken split, in which most of the control is lost.
    """
    rng = np.random.default_rng(seed)
    split = experiment.assignment()
    products = store.products()["product_id"].to_list()[:8]
    decisions: list[Row] = []
    events: list[Row] = []
    for number in range(shoppers):
        customer = f"sim{seed}-{number}"
        variant = split(f"c:{customer}")
        if variant is None or (not assign and variant == experiment.control and rng.random() < 0.7):
            continue
        at = start + timedelta(days=days * number / shoppers)
        taste = float(rng.gamma(2.0, 1000.0))
        shown = rng.permutation(products)[:4].tolist()
        items = [{"product_id": product, "position": i} for i, product in enumerate(shown)]
        same = {"customer_id": customer, "slot": "home", "step": "full", "experiment": experiment.name,
                "variant": variant, "items": items}  # fmt: skip
        decisions += [
            {**same, "decision_id": f"{customer}-{visit}", "at": at + timedelta(hours=3 * visit)}
            for visit in range(2)
        ]
        events.append(_event(customer, at - timedelta(days=3), products[0], "purchase", round(taste)))
        if rng.random() < 0.4:
            events.append(_event(customer, at + timedelta(minutes=5), shown[0], "view"))
        if rng.random() < buys[variant]:
            price = round(taste * float(rng.uniform(0.8, 1.2)))
            events.append(_event(customer, at + timedelta(hours=1), products[-1], "purchase", price))
    store.log_decisions(decisions)
    store.append_events(events)


def _event(customer: str, at: datetime, product: str, kind: str, price: int | None = None) -> Row:
    return {"event_id": f"{customer}-{kind}-{at.isoformat()}", "at": at, "customer_id": customer, "product_id": product,
            "kind": kind, "quantity": 1 if kind == "purchase" else None, "unit_price_minor": price}  # fmt: skip
