"""What a shopper will do: each target's probability or amount, with an interval and the reasons.

The features are those of training, made by the same code from the shopper's events up to now, live ones included. A
shopper is a customer or an anonymous session. What is predicted of a product in a list needs a place: where the caller
names none, the first place of the shop's commonest slot is assumed, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from storewise.core.clock import Clock, seconds
from storewise.core.errors import StateError, UnknownName
from storewise.engine.predictions.actor import actor_of, trail_of
from storewise.engine.predictions.answer import Forecast, Place, Predicted, payload
from storewise.engine.predictions.learned import RATE, Learned, Predictions
from storewise.engine.predictions.reasons import Reason, reasons
from storewise.engine.serving.live import Live
from storewise.engine.serving.sign_ins import SignIns
from storewise.engine.serving.snapshot import Snapshot
from storewise.predict.base import Rows
from storewise.predict.features import ShopFacts, Trails, customer_rows, pair_rows
from storewise.predict.features.shown import Shown
from storewise.predict.targets import LISTED, TARGETS

__all__ = [
    "Case",
    "Forecast",
    "Forecaster",
    "Place",
    "Predicted",
    "Reason",
    "payload",
    "predictions_of",
    "reasons",
    "rows_for",
]

NO_ORDER = "no order is known of this shopper: everybody's rate"
NO_EVENT = "nothing is known of this shopper: everybody's rate"
NO_SESSION = "unknown: it is asked of customers with an order, and this session is nobody's"


@dataclass(frozen=True, slots=True)
class Case:
    """What rows are made of: a shopper's trail, and how a product is shown to them."""

    trail: Trails
    facts: ShopFacts
    product: int | None = None
    shown: Shown | None = None
    anonymous: bool = False


class Forecaster:
    """Answers from the serving snapshot; safe to call from several threads."""

    def __init__(
        self, current: Callable[[], Snapshot], *, live: Live, clock: Clock, sign_ins: SignIns | None = None
    ) -> None:
        self._current, self._live, self._clock = current, live, clock
        self._sign_ins = sign_ins or SignIns()

    def __call__(
        self, customer: str | None, *, product: str | None = None, session: str | None = None,
        slot: str | None = None, position: int | None = None,
    ) -> Forecast:  # fmt: skip
        """What is expected of a customer or an anonymous session (pseudonyms), of a product (its id) where one is given,
        shown at ``position`` (from 0) of ``slot``.

        Raises:
            NothingPublished: when no snapshot serves.
            StateError: when the snapshot was trained without predictions.
            UnknownName: for a product that does not exist.
        """
        snapshot, now = self._current(), self._clock()
        found = predictions_of(snapshot)
        index = snapshot.catalogue.index.get(product) if product is not None else None
        if product is not None and index is None:
            raise UnknownName(f"There is no product {product!r}.", next_step="Check the id.")
        moment = seconds(now)
        actor = actor_of(snapshot, self._sign_ins, customer, session, moment)
        who, missing = actor.customer, dict(found.missing)
        if who is not None and who in snapshot.private:
            notes = ("no consent to personal predictions",)
            return Forecast(now, snapshot, who, product, False, False, (), missing, notes)
        anonymous = who is None and session is not None
        trail = trail_of(snapshot, actor, self._live, found, moment)
        facts = found.facts.at(max(moment, found.facts.now))
        price = snapshot.catalogue.frame["price_minor"][index] if index is not None else None
        shown = Shown.reference(
            facts, 1, signed_in=who is not None, price_minor=float("nan") if price is None else float(price),
            slot=slot, position=position,
        )  # fmt: skip
        case = Case(trail, facts, index, shown, anonymous)
        known = len(trail.at) > 0
        answers = [_predict(learned, case, known, snapshot) for learned in found.learned.values()]
        told = tuple(one for one in answers if one is not None)
        listed = index is not None and any(TARGETS[one.target].given in LISTED for one in told)
        return Forecast(
            now, snapshot, who, product, known, True, told, missing, _notes(known, anonymous),
            session if anonymous else None, _place(facts, shown, slot) if listed else None,
        )  # fmt: skip


def _notes(known: bool, anonymous: bool) -> tuple[str, ...]:
    if known:
        return ()
    return (f"an unknown {'session' if anonymous else 'customer'}: what is true of everybody",)


def _place(facts: ShopFacts, shown: Shown, slot: str | None) -> Place:
    def name(names: tuple[str, ...], code: int) -> str | None:
        return names[code] if 0 <= code < len(names) else None

    price = float(shown.price_minor[0])
    return Place(
        slot if slot is not None else name(facts.slot_names, int(shown.slots[0])), float(shown.positions[0]),
        name(facts.source_names, int(shown.sources[0])), None if np.isnan(price) else round(price),
    )  # fmt: skip


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


def rows_for(learned: Learned, case: Case) -> Rows | None:
    """The features that a target reads; None for a target of products when none is asked about."""
    target, trails = learned.target, case.trail
    if target.unit == "customer":
        return customer_rows(trails, case.facts)
    if case.product is None:
        return None
    products = np.full(len(trails), case.product)
    shown = case.shown if target.given in LISTED else None
    return pair_rows(trails, case.facts, np.arange(len(trails)), products, shown=shown)


def _predict(learned: Learned, case: Case, known: bool, snapshot: Snapshot) -> Predicted | None:
    target = learned.target
    rate, low, high = learned.rate
    about = (target.name, target.about, "amount" if target.amount else "probability", learned.days)
    if target.unit != "customer" and case.product is None:
        return None
    bought = bool(len(case.trail.orders.count) and case.trail.orders.count[0] > 0)
    listed = target.given in LISTED
    if case.anonymous and not bought and not listed:
        # Everybody's rate is of customers with an order: of a visitor it says nothing.
        if target.unit != "customer":
            return None
        nothing = float("nan")
        return Predicted(
            *about, nothing, nothing, nothing, rate, "unknown", learned.component, (), NO_SESSION, "session"
        )
    if learned.predictor is None or not known or (target.unit == "customer" and not bought):
        note = None if learned.predictor is None else NO_EVENT if listed else NO_ORDER
        if target.name == "product" and not bought:
            return None
        return Predicted(
            *about, rate, low, high, rate, "base rate", learned.component, (), note,
            None if note is None else "no_event" if listed else "no_order",
        )  # fmt: skip
    rows = rows_for(learned, case)
    assert rows is not None
    value = learned(rows)
    basis = "base rate" if learned.component == RATE else "model"
    return Predicted(
        *about, float(value.value[0]), float(value.low[0]), float(value.high[0]), rate, basis,
        learned.component, reasons(learned, rows, currency=snapshot.catalogue.currency, facts=case.facts),
    )  # fmt: skip
