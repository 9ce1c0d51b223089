"""What a shopper will do: each target's probability or amount, with an interval and the reasons.

The features are those of training, made by the same code from the shopper's events up to now, live ones included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from storewise.core.clock import Clock, seconds
from storewise.core.errors import StateError, UnknownName
from storewise.engine.predictions.learned import RATE, Learned, Predictions
from storewise.engine.predictions.words import label, said
from storewise.engine.serving.live import Live, customer_key, session_key
from storewise.engine.serving.snapshot import Snapshot
from storewise.predict.base import Rows
from storewise.predict.features import EventLog, ShopFacts, Trails, customer_rows, pair_rows
from storewise.predict.features.events import CODE

TOP = 5
LEAST_LOG_ODDS = 0.01


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature, its value, and how far it moved the prediction from the mean (log odds before calibration)."""

    feature: str
    value: float
    log_odds: float
    text: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """``basis``: ``model`` or ``base rate``; ``rate``: what is true of everybody."""

    target: str
    about: str
    kind: str
    horizon_days: float
    value: float
    low: float
    high: float
    rate: float
    basis: str
    model: str
    reasons: tuple[Reason, ...] = ()
    note: str | None = None
    note_code: str | None = None


@dataclass(frozen=True)
class Forecast:
    """An answer. ``known``: whether the shopper has any event; ``missing``: target → why it cannot be predicted."""

    at: datetime
    snapshot: Snapshot
    customer: str | None
    product: str | None
    known: bool
    personal: bool
    predictions: tuple[Predicted, ...]
    missing: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Forecaster:
    """Answers from the serving snapshot; safe to call from several threads."""

    def __init__(self, current: Callable[[], Snapshot], *, live: Live, clock: Clock) -> None:
        self._current, self._live, self._clock = current, live, clock

    def __call__(
        self, customer: str | None, *, product: str | None = None, session: str | None = None
    ) -> Forecast:
        """What is expected of a customer (a pseudonym), of a product (its id) where one is given.

        Raises:
            NothingPublished: when no snapshot serves.
            StateError: when the snapshot was trained without predictions.
            UnknownName: for a product that does not exist.
        """
        snapshot = self._current()
        found = predictions_of(snapshot)
        index = None
        if product is not None:
            index = snapshot.catalogue.index.get(product)
            if index is None:
                raise UnknownName(f"There is no product {product!r}.", next_step="Check the id.")
        now = self._clock()
        if customer is not None and customer in snapshot.private:
            return Forecast(
                now, snapshot, customer, product, False, False, (), dict(found.missing),
                ("no consent to personal predictions",),
            )  # fmt: skip
        live = self._live.of(
            customer_key(customer) if customer is not None else None,
            session_key(session) if session is not None else None,
        )
        trail = trail_of(snapshot, customer, live, seconds(now))
        known = len(trail.at) > 0
        facts = found.facts.at(max(seconds(now), found.facts.now))
        told = [
            predicted
            for learned in found.learned.values()
            if (predicted := _predict(learned, trail, facts, index, known, snapshot.catalogue.currency))
            is not None
        ]
        notes = () if known else ("an unknown customer: what is true of everybody",)
        return Forecast(
            now, snapshot, customer, product, known, True, tuple(told), dict(found.missing), notes
        )


def predictions_of(snapshot: Snapshot) -> Predictions:
    """Those of a snapshot.

    Raises:
        StateError: when it was trained without.
    """
    if snapshot.predictions is None:
        raise StateError(
            f"Snapshot {snapshot.id} was trained without predictions.",
            next_step="Train and publish again, with targets in the pipeline's section [predict].",
        )
    return snapshot.predictions


def trail_of(snapshot: Snapshot, customer: str | None, live: Any, now: float) -> Trails:
    """The events of one shopper before ``now``: those of the store, and live ones since the watermark."""
    log: EventLog | None = snapshot.log
    who = snapshot.customer_index.get(customer, -1) if customer is not None else -1
    rows = slice(0, 0)
    if log is not None and 0 <= who < log.n_customers:
        rows = slice(int(log.indptr[who]), int(log.indptr[who + 1]))
    index = snapshot.catalogue.index
    fresh = [e for e in live if e.at >= snapshot.watermark and e.product_id in index and e.kind in CODE]
    new = np.array([index[e.product_id] for e in fresh], np.int64)
    units = np.array([e.quantity or 1 for e in fresh], np.float64)
    price = predictions_of(snapshot).facts.price_minor[new] if len(new) else np.empty(0)
    parts = (
        (log.products[rows], log.kinds[rows], log.at[rows], log.quantity[rows], log.spend_minor[rows])
        if log is not None
        else (new[:0], new[:0], units[:0], units[:0], units[:0])
    )
    return Trails.single(
        np.concatenate([parts[0], new]),
        np.concatenate([parts[1], np.array([CODE[e.kind] for e in fresh], np.int8)]),
        np.concatenate([parts[2], np.array([e.at for e in fresh], np.float64)]),
        np.concatenate([parts[3], units]),
        np.concatenate([parts[4], units * price]),
        now=now, customer=who,
    )  # fmt: skip


def rows_for(learned: Learned, trails: Trails, facts: ShopFacts, product: int | None) -> Rows | None:
    """The features that a target reads; None for a target of products when none is asked about."""
    if learned.target.unit == "customer":
        return customer_rows(trails, facts)
    if product is None:
        return None
    return pair_rows(trails, facts, np.arange(len(trails)), np.full(len(trails), product))


def _predict(
    learned: Learned,
    trail: Trails,
    facts: ShopFacts,
    product: int | None,
    known: bool,
    currency: str | None,
) -> Predicted | None:
    target = learned.target
    rate, low, high = learned.rate
    about = (target.name, target.about, "amount" if target.amount else "probability", learned.days)
    if target.unit != "customer" and product is None:
        return None
    bought = bool(len(trail.orders.count) and trail.orders.count[0] > 0)
    if learned.predictor is None or not known or (target.unit == "customer" and not bought):
        note = None if learned.predictor is None else "no order is known of this shopper: everybody's rate"
        if target.name == "product" and product is not None and not bought:
            return None
        return Predicted(
            *about, rate, low, high, rate, "base rate", learned.component, (), note,
            None if note is None else "no_order",
        )  # fmt: skip
    rows = rows_for(learned, trail, facts, product)
    assert rows is not None
    value = learned(rows)
    basis = "base rate" if learned.component == RATE else "model"
    return Predicted(
        *about, float(value.value[0]), float(value.low[0]), float(value.high[0]), rate, basis,
        learned.component, reasons(learned, rows, currency=currency),
    )  # fmt: skip


def reasons(
    learned: Learned, rows: Rows, *, top: int = TOP, currency: str | None = None
) -> tuple[Reason, ...]:
    """What moved the prediction of the first row most, exactly as the model has it (TreeSHAP or linear terms); for
    BG/NBD, which has no such parts, what it believes of the shopper."""
    numbers = dict(zip(rows.number_names, rows.numbers[0].astype(float).tolist(), strict=True))
    told = learned.predictor.contributions(rows) if learned.predictor is not None else None
    if told is None:
        believed = (
            ("p_alive", "bg_orders", "order_value_log")
            if learned.target.amount
            else ("p_alive", "bg_p_purchase")
        )
        kept = [name for name in believed if name in numbers and np.isfinite(numbers[name])]
        return tuple(
            Reason(name, numbers[name], float("nan"), said(name, numbers[name], currency)) for name in kept
        )
    sizes = told.values[0]
    order = np.argsort(-np.abs(sizes), kind="stable")[:top]
    return tuple(
        Reason(
            told.names[i], numbers.get(told.names[i], float("nan")), float(sizes[i]),
            said(told.names[i], numbers.get(told.names[i], float("nan")), currency),
        )
        for i in order
        if abs(sizes[i]) >= LEAST_LOG_ODDS
    )  # fmt: skip


def payload(forecast: Forecast) -> dict[str, Any]:
    """The answer as JSON has it; see docs/api.md."""
    return {
        "at": forecast.at,
        "snapshot": forecast.snapshot.id,
        "customer": forecast.customer,
        "product": forecast.product,
        "known": forecast.known,
        "personal": forecast.personal,
        "currency": forecast.snapshot.catalogue.currency,
        "predictions": [_as_json(found) for found in forecast.predictions],
        "not_predictable": [{"target": name, "reason": why} for name, why in forecast.missing.items()],
        "notes": list(forecast.notes),
    }


def _as_json(found: Predicted) -> dict[str, Any]:
    return {
        "target": found.target, "about": found.about, "kind": found.kind, "horizon_days": found.horizon_days,
        "value": found.value, "low": found.low, "high": found.high, "rate": found.rate, "basis": found.basis,
        "model": found.model, "note": found.note, "note_code": found.note_code,
        "reasons": [
            {
                "feature": reason.feature, "label": label(reason.feature), "value": reason.value,
                "log_odds": reason.log_odds, "text": reason.text,
                "effect": None if np.isnan(reason.log_odds) else ("raises" if reason.log_odds > 0 else "lowers"),
            }
            for reason in found.reasons
        ],
    }  # fmt: skip
