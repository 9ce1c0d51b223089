"""The figures of one predictor on the window that judges it, as the page draws them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.engine.predictions.windows import Window
from storewise.engine.predictions.words import label
from storewise.metrics.curves import calibration_curve, lift_curve
from storewise.metrics.probability import intervals
from storewise.predict.base import Predictor, Rows

Floats = npt.NDArray[np.float64]
RESAMPLES = 300
MOST_ROWS = 12_000  # of cases whose figures are resampled
EXPLAINED = 1_000
TOP = 8


def event_figures(judged: Window, values: Floats, predictor: Predictor[Any], *, seed: int) -> dict[str, Any]:
    """AUC, PR-AUC, log loss and calibration error with intervals, both curves, and what moves predictions most."""
    rows = _some(len(values), MOST_ROWS)
    labels, p = judged.data.labels[rows], values[rows]
    _, groups = np.unique(judged.cases.customers[rows], return_inverse=True)
    found = intervals(labels, p, seed=seed, groups=groups, resamples=RESAMPLES)
    return {
        **{name: interval.as_dict() for name, interval in found.items()},
        "calibration": [
            {
                "mean": b["predicted"],
                "rate": b["happened"],
                "n": b["rows"],
                "low": b["low"],
                "high": b["high"],
            }
            for b in calibration_curve(labels, p)
        ],
        "lift": [
            {
                "share": b["share"],
                "gain": b["captured"],
                "lift": b["lift"],
                "low": b["low"],
                "high": b["high"],
            }
            for b in lift_curve(labels, p, seed=seed, resamples=100)
        ],
        "features": top_features(predictor, judged.data.rows.part(_some(len(judged.data.rows), EXPLAINED))),
    }


def top_features(predictor: Predictor[Any], rows: Rows) -> list[dict[str, Any]]:
    """The features that move predictions most: mean absolute log odds over rows."""
    said = predictor.contributions(rows)
    if said is None or not len(rows):
        return []
    sizes = np.abs(said.values).mean(axis=0)
    order = np.argsort(-sizes, kind="stable")[:TOP]
    return [
        {"feature": said.names[i], "label": label(said.names[i]), "log_odds": float(sizes[i])}
        for i in order
        if sizes[i] > 0
    ]


def _some(n: int, most: int) -> npt.NDArray[np.int64]:
    """At most so many places, spread evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64)) if n else np.empty(0, np.int64)
