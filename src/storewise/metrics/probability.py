"""How good probabilities of an event are: order (AUC, average precision), value (log loss, ECE), and their intervals.

Labels (n,) are 0 or 1. Bootstrap intervals resample rows, or groups of rows that hang together (a customer's);
scores are sorted once, so that 100,000 rows with 1,000 resamples take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from storewise.metrics.intervals import LEVEL, Interval, Values, draws

RESAMPLES = 1000
BINS = 15
TINY = 1e-15
Groups = npt.NDArray[np.int64]


def roc_auc(labels: Values, scores: Values) -> float:
    """Chance that an event's row is scored above another row, ties count half (Hanley and McNeil, 1982).

    NaN where there is only one class.

    >>> roc_auc(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
    1.0
    """
    return float(_auc(_Ranked(labels, scores), np.ones((1, len(labels))))[0])


def average_precision(labels: Values, scores: Values) -> float:
    """Area under the precision-recall curve by steps: sum of precision times gain in recall; tied scores are one
    step. NaN without events.

    >>> round(average_precision(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])), 3)
    0.833
    """
    return float(_average_precision(_Ranked(labels, scores), np.ones((1, len(labels))))[0])


def log_losses(labels: Values, probabilities: Values) -> Values:
    """(n,) losses ``-ln p(label)`` in nats; probabilities are kept ``1e-15`` away from 0 and 1.

    >>> log_losses(np.array([1.0]), np.array([0.5])).round(4).tolist()
    [0.6931]
    """
    p = np.clip(probabilities, TINY, 1.0 - TINY)
    found: Values = -(labels * np.log(p) + (1.0 - labels) * np.log1p(-p))
    return found


def log_loss(labels: Values, probabilities: Values) -> float:
    """Mean of :func:`log_losses`; NaN for no rows."""
    return float(log_losses(labels, probabilities).mean()) if len(labels) else float("nan")


def ece(labels: Values, probabilities: Values, *, bins: int = BINS) -> float:
    """Expected calibration error: mean over rows of |mean probability - share of events| of the row's bin.

    Bins hold equally many rows (Nguyen and O'Connor, 2015); equal probabilities are never parted.

    >>> round(ece(np.array([0.0, 1.0]), np.array([0.2, 0.2])), 3)
    0.3
    """
    if not len(labels):
        return float("nan")
    gaps = np.bincount(equal_mass_bins(probabilities, bins), probabilities - labels)
    return float(np.abs(gaps).sum() / len(labels))


def equal_mass_bins(values: Values, bins: int) -> npt.NDArray[np.int64]:
    """(n,) bin of each value, 0 … at most ``bins`` - 1, in rising order of values; ties share a bin.

    >>> equal_mass_bins(np.array([0.3, 0.1, 0.1, 0.2]), 2).tolist()
    [1, 0, 0, 1]
    """
    ordered = np.sort(values)
    starts = ordered[(np.arange(1, bins) * len(values)) // bins] if len(values) else ordered
    return np.searchsorted(np.unique(starts), values, side="right")


def intervals(
    labels: Values,
    probabilities: Values,
    *,
    seed: int,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """``auc``, ``pr_auc``, ``log_loss`` and ``ece`` of (n,) rows with percentile intervals.

    ``groups`` (n,): rows of one group are drawn together (any integers). The same seed draws the same rows for
    every model. Resamples of one class are left out.
    """
    ranked = _Ranked(labels, probabilities)
    losses = log_losses(labels, probabilities)
    bin_of = equal_mass_bins(probabilities, BINS)
    by_bin = np.zeros((len(labels), int(bin_of.max(initial=0)) + 1))
    by_bin[np.arange(len(labels)), bin_of] = probabilities - labels
    measures: dict[str, Callable[[Values], Values]] = {
        "auc": lambda counts: _auc(ranked, counts),
        "pr_auc": lambda counts: _average_precision(ranked, counts),
        "log_loss": lambda counts: counts @ losses / counts.sum(axis=1),
        "ece": lambda counts: np.abs(counts @ by_bin).sum(axis=1) / counts.sum(axis=1),
    }
    drawn: dict[str, list[Values]] = {name: [] for name in measures}
    for counts in _row_counts(len(labels), groups, seed, resamples):
        for name, measure in measures.items():
            drawn[name].append(measure(counts))
    one = np.ones((1, len(labels)))
    values = {name: float(measure(one)[0]) for name, measure in measures.items()}
    pooled = {name: np.concatenate(parts) for name, parts in drawn.items()}
    # Noise only adds to an ECE, and a resample has more of it: its draws are centred on the figure.
    pooled["ece"] = np.maximum(pooled["ece"] - np.median(pooled["ece"]) + values["ece"], 0.0)
    return {name: _interval(value, pooled[name], level) for name, value in values.items()}


def paired_differences(
    labels: Values,
    ours: Values,
    theirs: Values,
    *,
    seed: int,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """``auc`` and ``pr_auc`` of ours minus theirs on the same rows, resampled in pairs.

    >>> y = np.array([0.0, 1.0] * 20)
    >>> paired_differences(y, y, 1.0 - y, seed=1)["auc"].value
    1.0
    """
    left, right = _Ranked(labels, ours), _Ranked(labels, theirs)
    drawn: dict[str, list[Values]] = {"auc": [], "pr_auc": []}
    for counts in _row_counts(len(labels), groups, seed, resamples):
        drawn["auc"].append(_auc(left, counts) - _auc(right, counts))
        drawn["pr_auc"].append(_average_precision(left, counts) - _average_precision(right, counts))
    one = np.ones((1, len(labels)))
    values = {
        "auc": _auc(left, one) - _auc(right, one),
        "pr_auc": _average_precision(left, one) - _average_precision(right, one),
    }
    return {name: _interval(float(values[name][0]), np.concatenate(drawn[name]), level) for name in drawn}


def _interval(value: float, drawn: Values, level: float) -> Interval:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def _row_counts(n: int, groups: Groups | None, seed: int, resamples: int) -> Iterator[Values]:
    """How often each of n rows is drawn, (chunk, n) at a time."""
    if not n:
        return
    if groups is None:
        yield from draws(n, seed, resamples)
        return
    _, group_of = np.unique(groups, return_inverse=True)
    for counts in draws(int(group_of.max()) + 1, seed, resamples):
        for start in range(0, len(counts), 32):  # a few groups may hold many rows
            yield counts[start : start + 32][:, group_of]


class _Ranked:
    """Rows sorted by falling score; ``ends``: where each run of tied scores ends."""

    def __init__(self, labels: Values, scores: Values) -> None:
        self.order = np.argsort(-scores, kind="stable")
        falling = scores[self.order]
        self.ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1).astype(np.int64)
        self.labels = np.asarray(labels, np.float64)[self.order]

    def cumulative(self, counts: Values) -> tuple[Values, Values]:
        """Events and other rows at or above each distinct score, both (b, distinct), for (b, n) counts of rows."""
        ordered = counts[:, self.order]
        rows = np.cumsum(ordered, axis=1)[:, self.ends]
        events = np.cumsum(ordered * self.labels, axis=1)[:, self.ends]
        return events, rows - events


def _auc(ranked: _Ranked, counts: Values) -> Values:
    """(b,) trapezoids under the curve of events against others."""
    if not len(ranked.labels):
        return np.full(len(counts), np.nan)
    events, others = ranked.cumulative(counts)
    steps = np.diff(others, axis=1, prepend=0.0)
    heights = events - np.diff(events, axis=1, prepend=0.0) / 2.0
    area = np.einsum("bn,bn->b", steps, heights)
    pairs = events[:, -1] * others[:, -1]
    found: Values = np.divide(area, pairs, out=np.full_like(area, np.nan), where=pairs > 0)
    return found


def _average_precision(ranked: _Ranked, counts: Values) -> Values:
    if not len(ranked.labels):
        return np.full(len(counts), np.nan)
    events, others = ranked.cumulative(counts)
    precision = events / np.maximum(events + others, TINY)
    area = np.einsum("bn,bn->b", precision, np.diff(events, axis=1, prepend=0.0))
    total = events[:, -1]
    found: Values = np.divide(area, total, out=np.full_like(area, np.nan), where=total > 0)
    return found
