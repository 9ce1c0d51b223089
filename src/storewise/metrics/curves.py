"""Curves a person reads: calibration (predicted against happened) and lift, each point with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from storewise.metrics.intervals import LEVEL, Interval, Values, draws
from storewise.metrics.probability import RESAMPLES, equal_mass_bins

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Z = 1.959963984540054


def wilson(events: float, rows: float, *, z: float = Z) -> Interval:
    """Share of events with the score interval of Wilson (1927); 0 to 1 for no rows.

    >>> found = wilson(5, 10)
    >>> round(found.low, 4), round(found.high, 4)
    (0.2366, 0.7634)
    """
    if rows <= 0:
        return Interval(float("nan"), 0.0, 1.0)
    share = events / rows
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    # The bounds of no events and of nothing but events are exact; rounding must not push them past the share.
    return Interval(
        share, float(max(min(centre - half, share), 0.0)), float(min(max(centre + half, share), 1.0))
    )


def calibration_curve(labels: Values, probabilities: Values, *, bins: int = 10) -> list[dict[str, float]]:
    """A point for each bin of equally many rows, in rising order: ``predicted`` (mean), ``happened`` (share of
    events) with ``low`` and ``high`` (Wilson), ``rows``.

    >>> calibration_curve(np.array([0.0, 1.0]), np.array([0.4, 0.4]))[0]["happened"]
    0.5
    """
    bin_of = equal_mass_bins(probabilities, bins)
    points = []
    for number in np.unique(bin_of):
        inside = bin_of == number
        share = wilson(float(labels[inside].sum()), float(inside.sum()))
        points.append({
            "predicted": float(probabilities[inside].mean()), "happened": share.value,
            "low": share.low, "high": share.high, "rows": int(inside.sum()),
        })  # fmt: skip
    return points


def lift_curve(
    labels: Values, scores: Values, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[dict[str, float]]:
    """For the best-scored ``share`` of rows: ``lift`` (their rate of events over everybody's) with ``low`` and
    ``high``, and ``captured`` (their part of all events). Tied scores share their events evenly.

    >>> y = np.array([1.0, 0.0, 0.0, 0.0])
    >>> [point["lift"] for point in lift_curve(y, y, seed=1) if point["share"] == 0.5]
    [2.0]
    """
    if not len(labels):
        return []
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    ordered = np.repeat(
        np.add.reduceat(labels[order], starts) / np.diff(starts, append=len(labels)),
        np.diff(starts, append=len(labels)),
    )
    shares = np.array(SHARES)
    drawn = np.concatenate(
        [_lifts(c[:, order], ordered, shares) for c in draws(len(labels), seed, resamples)]
    )
    values = _lifts(np.ones((1, len(labels))), ordered, shares)[0]
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    if not len(drawn):
        return []
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [
        {"share": float(s), "lift": float(v), "low": float(a), "high": float(z), "captured": float(s * v)}
        for s, v, a, z in zip(shares, values, low, high, strict=True)
    ]


def _lifts(counts: Values, events: Values, shares: Values) -> Values:
    """(b, shares): events in the first rows of each (b, n) resample, over what chance would give."""
    rows, found = np.cumsum(counts, axis=1), np.cumsum(counts * events, axis=1)
    lifts = np.empty((len(counts), len(shares)))
    for b in range(len(counts)):
        wanted = shares * rows[b, -1]
        total = found[b, -1]
        captured = np.interp(wanted, np.append(0.0, rows[b]), np.append(0.0, found[b]))
        lifts[b] = captured / total / shares if total > 0 else np.nan
    return lifts


def curves(labels: Values, probabilities: Values, *, seed: int) -> dict[str, Any]:
    """``calibration`` and ``lift`` of one model, as plain data for a report or a page."""
    return {
        "calibration": calibration_curve(labels, probabilities),
        "lift": lift_curve(labels, probabilities, seed=seed, resamples=200),
    }
