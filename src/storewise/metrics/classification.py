"""Classification: accuracy, and the mean over classes of F1, with bootstrap intervals over products."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.metrics.intervals import LEVEL, RESAMPLES, Interval, draws

Classes = npt.NDArray[np.int64]


def f1_by_class(truth: Classes, predicted: Classes, n_classes: int) -> npt.NDArray[np.float64]:
    """(n_classes,) ``2·tp / (2·tp + fp + fn)``; NaN for a class that is neither there nor predicted.

    >>> f1_by_class(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).round(3).tolist()
    [0.667, 0.667]
    """
    hits, told, there = _counts(truth, predicted, n_classes)
    one = np.ones((1, len(truth)))
    return np.asarray(_f1(one @ hits, one @ told, one @ there)[0])


def macro_f1(
    truth: Classes,
    predicted: Classes,
    n_classes: int,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The mean of F1 over the classes of ``truth`` (n,), with the percentile interval over resampled products.

    A class that no product of a resample has is left out of that resample's mean.
    """
    if not len(truth):
        return Interval(float("nan"), float("nan"), float("nan"))
    hits, told, there = _counts(truth, predicted, n_classes)
    drawn = np.concatenate([_mean(c @ hits, c @ told, c @ there) for c in draws(len(truth), seed, resamples)])
    one = np.ones((1, len(truth)))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(_mean(one @ hits, one @ told, one @ there)[0]), float(low), float(high))


def _counts(truth: Classes, predicted: Classes, n_classes: int) -> tuple[npt.NDArray[np.float64], ...]:
    """(n, n_classes) each: hit, predicted, there."""
    eye = np.eye(n_classes)
    told, there = eye[predicted], eye[truth]
    return told * there, told, there


def _f1(
    hits: npt.NDArray[np.float64], told: npt.NDArray[np.float64], there: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    total = told + there
    return np.divide(2 * hits, total, out=np.full_like(total, np.nan), where=total > 0)


def _mean(
    hits: npt.NDArray[np.float64], told: npt.NDArray[np.float64], there: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    present = there > 0
    f1 = np.where(present, _f1(hits, told, there), 0.0)
    return np.asarray(f1.sum(axis=1) / np.maximum(present.sum(axis=1), 1))
