"""The top reasons of one prediction, with their size, and what the prediction would be without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from storewise.core.errors import DataError, LimitExceeded
from storewise.predict.base import MISSING, Contributions, Predictor, Rows, Values
from storewise.predict.calibrated import Calibrated

HISTORY = "history of "
EDGE = 1e-9


@dataclass(frozen=True)
class Reason:
    """A feature that moved a prediction. ``log_odds``: how far; ``points``: what that is in calibrated probability,
    the value as it is minus the value had the feature moved nothing; ``value``: the row's number, or None."""

    feature: str
    log_odds: float
    points: float
    value: float | None


def explain(model: Calibrated, rows: Rows, *, n: int = 3) -> list[list[Reason]]:
    """The ``n`` strongest reasons of each row, by size; fewer where fewer features moved it.

    A feature that the model reads in several ways (as number and as category) is one reason.

    Raises:
        DataError: when the predictor cannot say what moved it.
        LimitExceeded: for ``n`` below 1.
    """
    if n < 1:
        raise LimitExceeded(
            f"{n} reasons were asked for, at least 1 is needed.", next_step="Ask for 1 to 20."
        )
    told = merged(_contributions(model.predictor, rows))
    scores = np.clip(model.predictor.scores(rows), EDGE, 1 - EDGE)
    values = model.calibration.map(scores)
    found: list[list[Reason]] = []
    for row in range(len(rows)):
        moved = told.values[row]
        top = [place for place in np.argsort(-np.abs(moved), kind="stable")[:n] if moved[place] != 0]
        without = model.calibration.map(expit(logit(scores[row]) - moved[top]))
        found.append([
            Reason(told.names[place], float(moved[place]), float(values[row] - p), _number(rows, told.names[place], row))
            for place, p in zip(top, without, strict=True)
        ])  # fmt: skip
    return found


def merged(told: Contributions) -> Contributions:
    """Contributions of one name added up.

    >>> merged(Contributions(("a", "b", "a"), np.array([[1.0, 2.0, 3.0]]), 0.0)).values.tolist()
    [[4.0, 2.0]]
    """
    names = tuple(dict.fromkeys(told.names))
    values = np.zeros((len(told.values), len(names)))
    for place, name in enumerate(told.names):
        values[:, names.index(name)] += told.values[:, place]
    return Contributions(names, values, told.base)


def deleted(rows: Rows, names: Sequence[str]) -> Rows:
    """Rows as if features were not known: numbers and categories missing, vectors zero, histories empty.

    Raises:
        DataError: for a name that the rows do not have.
    """
    known = {*rows.number_names, *rows.category_names, *rows.vectors, *(HISTORY + s for s in rows.sequences)}
    if unknown := [name for name in names if name not in known]:
        raise DataError(
            f"The rows have no {unknown[0]!r}.", next_step=f"They have: {', '.join(sorted(known))}."
        )
    numbers, categories = rows.numbers.copy(), rows.categories.copy()
    numbers[:, [name in names for name in rows.number_names]] = np.nan
    categories[:, [name in names for name in rows.category_names]] = MISSING
    return replace(
        rows, numbers=numbers, categories=categories,
        vectors={k: np.zeros_like(v) if k in names else v for k, v in rows.vectors.items()},
        sequences={
            k: np.full_like(v, MISSING) if HISTORY + k in names else v for k, v in rows.sequences.items()
        },
    )  # fmt: skip


def replaced(rows: Rows, names: Sequence[str], background: Rows) -> Rows:
    """Each row with the named features of one background row: ``len(rows)`` of both.

    Raises:
        DataError: when the lengths differ, or for an unknown name.
    """
    if len(rows) != len(background):
        raise DataError(
            f"{len(rows)} rows and {len(background)} of background.", next_step="Give as many of both."
        )
    deleted(rows.part(np.arange(0)), names)  # for its check
    number, category = (
        np.array([name in names for name in side], np.bool_)
        for side in (rows.number_names, rows.category_names)
    )
    return replace(
        rows, numbers=np.where(number, background.numbers, rows.numbers),
        categories=np.where(category, background.categories, rows.categories),
        vectors={k: background.vectors[k] if k in names else v for k, v in rows.vectors.items()},
        sequences={
            k: background.sequences[k] if HISTORY + k in names else v for k, v in rows.sequences.items()
        },
    )  # fmt: skip


def without(
    predictor: Predictor[Any],
    rows: Rows,
    names: Sequence[str],
    background: Rows,
    *,
    draws: int = 50,
    seed: int = 0,
) -> Values:
    """(n,) log odds of each row's score when the named features are those of other rows: the mean over ``draws``
    rows of ``background``. The difference to the row's own log odds is what the features are worth to it."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(background), min(draws, len(background)))
    total = np.zeros(len(rows))
    for other in drawn:
        mixed = replaced(rows, names, background.part(np.full(len(rows), other)))
        total += logit(np.clip(predictor.scores(mixed), EDGE, 1 - EDGE))
    return total / len(drawn)


def _contributions(predictor: Predictor[Any], rows: Rows) -> Contributions:
    told = predictor.contributions(rows)
    if told is None:
        raise DataError(
            f"{type(predictor).__name__} cannot say what moved a prediction.",
            next_step="Use a predictor with contributions, such as predict.logistic.v1 or predict.lightgbm.v1.",
        )
    return told


def _number(rows: Rows, name: str, row: int) -> float | None:
    if name not in rows.number_names:
        return None
    value = float(rows.numbers[row, rows.number_names.index(name)])
    return None if np.isnan(value) else value
