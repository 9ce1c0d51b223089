"""Scores of a ranker as chances: isotonic regression on a moment that the trees did not learn from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

Values = npt.NDArray[np.float64]
MOST_KNOTS = 400
LEAST_ROWS = 50  # a step of fewer rows is joined with its neighbour


def isotonic(scores: Values, happened: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(2, k) knots of the rising map from scores to rates (Zadrozny & Elkan 2002).

    Rows are first gathered into bins of equal size, so that no step says 0 or 1 because of a handful of rows; the
    rate of a bin is (events + r) / (rows + 1), r the overall rate.

    >>> isotonic(np.array([0.0, 1.0]), np.array([False, True])).tolist()
    [[0.0, 1.0], [0.25, 0.75]]
    """
    order = np.argsort(scores, kind="stable")
    bins = int(np.clip(len(scores) // LEAST_ROWS, min(len(scores), 2), MOST_KNOTS))
    rate = float(happened.mean()) if len(happened) else 0.0
    knots, rates, weights = [], [], []
    for part in np.array_split(order, max(bins, 1)):
        if len(part):
            knots.append(float(scores[part].mean()))
            rates.append((float(happened[part].sum()) + rate) / (len(part) + 1.0))
            weights.append(float(len(part)))
    if not knots:
        return np.zeros((2, 0))
    rising = isotonic_regression(np.array(rates), weights=np.array(weights)).x
    x, place = np.unique(np.array(knots), return_index=True)
    return np.stack([x, np.asarray(rising)[place]])


def chances(scores: Values, knots: npt.NDArray[np.float64]) -> Values:
    """The map's value of each score, straight lines between knots; NaN without a map and for NaN."""
    if not knots.shape[1]:
        return np.full(len(scores), np.nan)
    found: Values = np.interp(scores, knots[0], knots[1])
    return np.where(np.isnan(scores), np.nan, found)
