"""Sums, means and ends of segments of arrays: the arithmetic that features are made of. NaN where nothing is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HALF = 0.5  # added to both counts of a log ratio, so that no count is a finite ratio too


def total(rows: Ints, values: Floats | npt.NDArray[np.bool_], n: int) -> Floats:
    """(n,) sums by row."""
    return np.bincount(rows, values, minlength=n).astype(np.float64)


def ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, NaN where ``below`` is 0 or either is NaN.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    found: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
    return found


def first(values: Floats, indptr: Ints) -> Floats:
    """(n,) the first value of each segment."""
    return _pick(values, indptr, indptr[:-1])


def last(values: Floats, indptr: Ints) -> Floats:
    """(n,) the last value of each segment."""
    return _pick(values, indptr, indptr[1:] - 1)


def _pick(values: Floats, indptr: Ints, places: Ints) -> Floats:
    filled = np.diff(indptr) > 0
    found = np.full(len(indptr) - 1, np.nan)
    found[filled] = values[places[filled]]
    return found


def spread(rows: Ints, values: Floats, n: int) -> tuple[Floats, Floats]:
    """(n,) mean and sample standard deviation by row; the latter is NaN with fewer than two values."""
    count = total(rows, np.ones(len(rows)), n)
    mean = ratio(total(rows, values, n), count)
    squares = total(rows, (values - mean[rows]) ** 2, n)
    return mean, np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def log_ratio(above: Floats, below: Floats) -> Floats:
    """``ln((above + ½) / (below + ½))`` of counts."""
    return np.log((above + HALF) / (below + HALF))


def distinct(rows: Ints, codes: Ints, n: int) -> Floats:
    """(n,) number of different codes ≥ 0 by row."""
    known = codes >= 0
    if not known.any():
        return np.zeros(n)
    size = int(codes.max()) + 1
    pairs = np.sort(rows[known] * size + codes[known])
    return np.bincount(pairs[np.r_[True, pairs[1:] != pairs[:-1]]] // size, minlength=n).astype(np.float64)
