"""Error of predicted ratings, in rating points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.floating]


def rmse(truth: Values, predicted: Values) -> float:
    """Root mean squared error of (n,) ratings; NaN for none.

    >>> rmse(np.array([3.0, 5.0]), np.array([4.0, 5.0])).__round__(4)
    0.7071
    """
    return float(np.sqrt(np.mean(squared_errors(truth, predicted)))) if len(truth) else float("nan")


def mae(truth: Values, predicted: Values) -> float:
    """Mean absolute error of (n,) ratings; NaN for none.

    >>> mae(np.array([3.0, 5.0]), np.array([4.0, 5.0]))
    0.5
    """
    return float(np.mean(absolute_errors(truth, predicted))) if len(truth) else float("nan")


def squared_errors(truth: Values, predicted: Values) -> npt.NDArray[np.float64]:
    """(n,) squared errors in double precision."""
    difference: npt.NDArray[np.float64] = np.asarray(truth, np.float64) - np.asarray(predicted, np.float64)
    return difference**2


def absolute_errors(truth: Values, predicted: Values) -> npt.NDArray[np.float64]:
    """(n,) absolute errors in double precision."""
    return np.abs(np.asarray(truth, np.float64) - np.asarray(predicted, np.float64))
