"""Columns that know the outcome: filled when the event happens, later than the row, or the label under another name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.predict.tables import hashing
from storewise.predict.tables.columns import cleaned, dates_of, numbers_of

Floats = npt.NDArray[np.float64]
SURE = 0.995  # share of rows that must agree
LEAST_EVENTS = 10  # with fewer events nothing is called a leak
LEAST_FILLED = 20
DEFAULT_SHARE = 0.5  # of rows that hold nothing, for a column that is filled by events
FEW_VALUES = 20  # a copy of the label has few values


@dataclass(frozen=True)
class Leak:
    """A column that has to be left out, and why."""

    column: str
    why: str


def find_leaks(
    frame: pl.DataFrame, labels: Floats, *, moments: npt.NDArray[np.int64] | None = None
) -> list[Leak]:
    """Columns of training rows that could not have been known when the row happened.

    A column leaks when

    1. whether it is filled says the label almost perfectly (a time of conversion);
    2. most rows hold nothing (missing, 0, no) and almost all others are events, although events are rare (an
       amount spent; "only present for positives");
    3. it is a date later than the row's own moment (``moments`` (n,), microseconds) and whether it is filled, or how
       much later it is, sets events apart;
    4. it has few values and each has one label: the label under another name.

    >>> frame = pl.DataFrame({"paid": [None] * 30 + [5] * 30, "size": [1, 2] * 30})
    >>> [leak.column for leak in find_leaks(frame, np.repeat([0.0, 1.0], 30))]
    ['paid']
    """
    if min(labels.sum(), (1 - labels).sum()) < LEAST_EVENTS:
        return []
    found = []
    for name in frame.columns:
        why = _why(frame[name], labels, moments)
        if why:
            found.append(Leak(name, f"{name} is left out: {why}"))
    return found


def _why(column: pl.Series, labels: Floats, moments: npt.NDArray[np.int64] | None) -> str:
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return ""
    values = cleaned(column)
    filled = values.is_not_null().to_numpy()
    if _agrees(filled, labels):
        return f"it is filled in {_share(filled, labels)}, which says the label by itself"
    happens = filled & ~_nothing(values)
    if _only_for_events(happens, labels):
        return f"it is more than nothing in {_share(happens, labels)}: only events have it"
    if moments is not None and _later(values, filled, labels, moments):
        return "it is a date after the row's own time, and says the label"
    if _copies(values, labels):
        return "each of its values has one label: it is the label under another name"
    return ""


def _share(chosen: npt.NDArray[np.bool_], labels: Floats) -> str:
    return f"{int(chosen.sum()):,} rows, of which {int(labels[chosen].sum()):,} are events"


def _agrees(flag: npt.NDArray[np.bool_], labels: Floats) -> bool:
    """True when a flag says the label (or its opposite) for almost all rows of each outcome."""
    if flag.all() or not flag.any():
        return False
    events, others = flag[labels == 1].mean(), flag[labels == 0].mean()
    return bool(min(events, 1 - others) >= SURE or min(1 - events, others) >= SURE)


def _nothing(values: pl.Series) -> npt.NDArray[np.bool_]:
    """Rows that hold 0, no or false."""
    if values.dtype.is_temporal():
        return np.zeros(len(values), np.bool_)
    if values.dtype == pl.String:
        return (
            values.str.to_lowercase().is_in(["0", "0.0", "no", "false", "n", "f"]).fill_null(False).to_numpy()
        )
    return np.asarray(numbers_of(values) == 0)


def _only_for_events(happens: npt.NDArray[np.bool_], labels: Floats) -> bool:
    n = int(happens.sum())
    if n < LEAST_FILLED or happens.mean() > DEFAULT_SHARE:
        return False
    rate = float(labels.mean())
    # Chance alone must not be able to do it: the chance of n events in n rows at the overall rate.
    return bool(labels[happens].mean() >= SURE and rate < 0.9 and n * np.log(max(rate, 1e-12)) < np.log(1e-9))


def _later(
    values: pl.Series, filled: npt.NDArray[np.bool_], labels: Floats, moments: npt.NDArray[np.int64]
) -> bool:
    if not values.dtype.is_temporal() and values.dtype != pl.String:
        return False
    seconds = numbers_of(dates_of(values))
    known = np.isfinite(seconds)
    if known.sum() < LEAST_FILLED or known.sum() < SURE * filled.sum():
        return False
    gaps = seconds[known] - moments[known] / 1e6
    if (gaps > 0).mean() < DEFAULT_SHARE:
        return False
    filled_auc = _auc(known.astype(np.float64), labels)
    gap_auc = _auc(gaps, labels[known])
    return max(filled_auc, gap_auc) > 0.9


def _auc(scores: Floats, labels: Floats) -> float:
    """How well scores part the labels, in either direction; 0.5 for one class."""
    from storewise.metrics.probability import roc_auc

    found = roc_auc(labels, scores)
    return 0.5 if np.isnan(found) else max(found, 1 - found)


def _copies(values: pl.Series, labels: Floats) -> bool:
    distinct = values.n_unique()
    if not 2 <= distinct <= FEW_VALUES:
        return False
    _, at = np.unique(hashing.of_column(values), return_inverse=True)
    rates = np.bincount(at, labels) / np.bincount(at)
    right = np.where(rates[at] > 0.5, labels, 1 - labels)
    return bool(right[labels == 1].mean() >= SURE and right[labels == 0].mean() >= SURE)
