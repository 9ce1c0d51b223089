"""Rows as one matrix: standardised and one-hot for linear models, raw columns for trees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.predict.base import Rows

Matrix = npt.NDArray[np.float64]


class Design:
    """Numbers are standardised (a missing one is the mean, and said so in a column of its own where training has
    such), categories are one column a value, the missing one included; vectors come as they are."""

    def __init__(self) -> None:
        self._mean: Matrix = np.empty(0)
        self._scale: Matrix = np.empty(0)
        self._gaps: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._sizes: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def fit(self, rows: Rows) -> Matrix:
        """Learn the scales; the matrix of these rows."""
        numbers = _finite(rows)
        missing = np.isnan(numbers)
        n_known = np.maximum((~missing).sum(axis=0), 1)
        self._mean = np.where(missing, 0.0, numbers).sum(axis=0) / n_known
        spread = np.sqrt(np.where(missing, 0.0, (numbers - self._mean) ** 2).sum(axis=0) / n_known)
        self._scale = np.where(spread > 1e-12, spread, 1.0)
        self._gaps = np.flatnonzero(missing.any(axis=0))
        self._sizes = np.array(rows.sizes, np.int64)
        return self.matrix(rows)

    def matrix(self, rows: Rows) -> Matrix:
        """(n, d) float64."""
        numbers = _finite(rows)
        missing = np.isnan(numbers)
        blocks = [np.where(missing, 0.0, (numbers - self._mean) / self._scale), missing[:, self._gaps]]
        for column, size in enumerate(self._sizes.tolist()):
            codes = rows.categories[:, column].astype(np.int64) + 1  # 0: missing, 1: unseen
            blocks.append(np.arange(size + 1) == codes[:, None])
        blocks += [rows.vectors[name] for name in sorted(rows.vectors)]
        return np.concatenate([np.asarray(block, np.float64) for block in blocks], axis=1)

    def state(self) -> Arrays:
        return {"mean": self._mean, "scale": self._scale, "gaps": self._gaps, "sizes": self._sizes}

    def restore(self, state: Arrays) -> None:
        self._mean, self._scale = state["mean"], state["scale"]
        self._gaps, self._sizes = state["gaps"], state["sizes"]


def tree_matrix(rows: Rows) -> Matrix:
    """(n, p + q + d): numbers, codes and vectors as they are. Codes are read as ordered numbers, which trees
    split as often as they need."""
    blocks = [_finite(rows), rows.categories, *(rows.vectors[name] for name in sorted(rows.vectors))]
    return np.concatenate([np.asarray(block, np.float64) for block in blocks], axis=1)


def _finite(rows: Rows) -> Matrix:
    """Infinite numbers are missing ones."""
    numbers = rows.numbers.astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
