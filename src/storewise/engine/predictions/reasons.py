"""Why a prediction is what it is: what moved it most, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storewise.engine.predictions.learned import Learned
from storewise.engine.predictions.words import label, said
from storewise.predict.base import Rows
from storewise.predict.features import ShopFacts
from storewise.predict.features.shown import CATEGORIES

TOP = 5
LEAST_LOG_ODDS = 0.01


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature, its value, and how far it moved the prediction from the mean (log odds before calibration)."""

    feature: str
    value: float
    log_odds: float
    text: str


def reasons(
    learned: Learned, rows: Rows, *, top: int = TOP, currency: str | None = None, facts: ShopFacts | None = None
) -> tuple[Reason, ...]:  # fmt: skip
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
    texts = _names(rows, facts)
    sizes = told.values[0]
    order = np.argsort(-np.abs(sizes), kind="stable")[:top]
    return tuple(
        Reason(
            told.names[i], numbers.get(told.names[i], float("nan")), float(sizes[i]),
            texts.get(told.names[i]) or said(told.names[i], numbers.get(told.names[i], float("nan")), currency),
        )
        for i in order
        if abs(sizes[i]) >= LEAST_LOG_ODDS
    )  # fmt: skip


def _names(rows: Rows, facts: ShopFacts | None) -> dict[str, str]:
    """Category → what it is, by name."""
    if facts is None:
        return {}
    names = dict(zip(CATEGORIES, (facts.slot_names, facts.source_names), strict=True))
    codes = dict(zip(rows.category_names, rows.categories[0].tolist(), strict=True))
    return {
        name: f"{label(name)}: {names[name][code - 1] if code > 0 else 'not known'}"
        for name, code in codes.items()
        if name in names
    }
