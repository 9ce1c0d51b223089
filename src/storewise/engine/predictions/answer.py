"""What is answered of one shopper, and as JSON has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from storewise.engine.predictions.reasons import Reason
from storewise.engine.predictions.words import label
from storewise.engine.serving.snapshot import Snapshot


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
    """An answer. ``known``: whether the shopper has any event; ``missing``: target → why it cannot be predicted.
    ``session``: asked about, where it is nobody's; ``place``: what was assumed of the list, where a product is asked."""

    at: datetime
    snapshot: Snapshot
    customer: str | None
    product: str | None
    known: bool
    personal: bool
    predictions: tuple[Predicted, ...]
    missing: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    session: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: ``slot`` and ``source`` (what makes the list), None where the shop's impressions name none;
    ``position`` from 0; ``price_minor``, None where they say no price."""

    slot: str | None
    position: float
    source: str | None
    price_minor: int | None


def payload(forecast: Forecast) -> dict[str, Any]:
    """The answer as JSON has it; see docs/api.md."""
    return {
        "at": forecast.at,
        "snapshot": forecast.snapshot.id,
        "customer": forecast.customer,
        "session": forecast.session,
        "product": forecast.product,
        "known": forecast.known,
        "personal": forecast.personal,
        "currency": forecast.snapshot.catalogue.currency,
        "place": None if forecast.place is None else asdict(forecast.place),
        "predictions": [_as_json(found) for found in forecast.predictions],
        "not_predictable": [{"target": name, "reason": why} for name, why in forecast.missing.items()],
        "notes": list(forecast.notes),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _as_json(found: Predicted) -> dict[str, Any]:
    return {
        "target": found.target, "about": found.about, "kind": found.kind, "horizon_days": found.horizon_days,
        "value": _number(found.value), "low": _number(found.low), "high": _number(found.high),
        "rate": _number(found.rate), "basis": found.basis,
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
