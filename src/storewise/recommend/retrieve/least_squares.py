"""Many small ridge regressions at once: each row of a 0/1 matrix on the vectors of its own columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

CELLS = 200_000
"""Numbers gathered at a time: 0.8 MB, so that all passes over them are read from the processor's cache."""
PADDING = 1.2
"""Longest row of a group / its shortest, at most (and one more)."""

TINY = np.float32(1e-30)
"""Least divisor: a solved row has no direction left, and 0 / TINY keeps it where it is."""

Matrix = npt.NDArray[np.float32]
Group = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]
Kernel = Callable[[npt.NDArray[np.int64], Matrix], Matrix]


class Rows:
    """The rows of ``x`` (m, n), CSR of ones, in groups of similar length, made once for any number of solves.

    Row r's regression, given vectors v (n, d), ``shared`` (d,) and ``ridge`` (m,), is
    argmin_u Σ_{j in x[r]} (1 - u·v_j)² + Σ_k shared_k u_k² + ridge_r |u|². Empty rows give zeros.

    >>> rows = Rows(sparse.csr_matrix([[1, 0, 1], [0, 0, 0]]), d=1)
    >>> vectors = np.array([[1.0], [5.0], [2.0]], np.float32)
    >>> rows.solve(vectors, np.ones(1, np.float32), np.full(2, 4.0, np.float32)).tolist()  # (1+2)/(1+4+1+4)
    [[0.30000001192092896], [0.0]]
    """

    def __init__(self, x: sparse.csr_matrix, d: int) -> None:
        self._shape = x.shape
        self._groups = list(_groups(x, d))

    def solve(self, vectors: Matrix, shared: Matrix, ridge: Matrix) -> Matrix:
        """(m, d), exact: normal equations, of size d or, by Woodbury's identity, of the row's length."""

        def exact(rows: npt.NDArray[np.int64], v: Matrix) -> Matrix:
            diagonal = shared + ridge[rows, None]  # (b, d)
            return _short(v, diagonal) if v.shape[1] < v.shape[2] else _long(v, diagonal)

        return self._each(vectors, exact)

    def descend(self, vectors: Matrix, shared: Matrix, ridge: Matrix, *, start: Matrix, steps: int) -> Matrix:
        """(m, d), ``steps`` of conjugate gradients from ``start`` (m, d), preconditioned by shared + ridge.

        No system is formed: a step reads the row's vectors twice, 4 d numbers' work for each entry.
        """

        def nearer(rows: npt.NDArray[np.int64], v: Matrix) -> Matrix:
            return _descend(v, shared + ridge[rows, None], start[rows], steps)

        return self._each(vectors, nearer)

    def _each(self, vectors: Matrix, kernel: Kernel) -> Matrix:
        """``kernel(rows (b,), v (b, l, d))`` -> (b, d) of each group; v is zero where a row is shorter."""
        d = vectors.shape[1]
        out = np.zeros((self._shape[0], d), np.float32)
        padded = np.vstack([vectors, np.zeros((1, d), np.float32)])
        gathered = np.empty(max((c.size for _, c in self._groups), default=0) * d, np.float32)
        for rows, columns in self._groups:
            v = gathered[: columns.size * d].reshape(*columns.shape, d)
            np.take(padded, columns, axis=0, out=v, mode="clip")  # all are inside; other modes copy twice
            out[rows] = kernel(rows, v)
        return out


def _short(v: Matrix, diagonal: Matrix) -> Matrix:
    """Fewer entries than dimensions: (b, l, l) systems."""
    scaled = v / diagonal[:, None, :]
    system = scaled @ v.transpose(0, 2, 1)
    index = np.arange(v.shape[1])
    system[:, index, index] += 1.0
    ones = np.ones((*v.shape[:2], 1), np.float32)
    return (scaled.transpose(0, 2, 1) @ np.linalg.solve(system, ones))[:, :, 0]


def _long(v: Matrix, diagonal: Matrix) -> Matrix:
    """(b, d, d) systems."""
    system = v.transpose(0, 2, 1) @ v
    index = np.arange(v.shape[2])
    system[:, index, index] += diagonal
    return np.linalg.solve(system, v.sum(axis=1)[:, :, None])[:, :, 0]


def _descend(v: Matrix, diagonal: Matrix, u: Matrix, steps: int) -> Matrix:
    """Conjugate gradients (Hestenes & Stiefel 1952) on (VᵀV + diagonal) u = Vᵀ1, a batch of (b, d) at once."""
    missing: Matrix = 1.0 - v @ u[:, :, None]
    residual: Matrix = _back(v, missing) - diagonal * u
    direction: Matrix = residual / diagonal
    size = np.einsum("bd,bd->b", residual, direction)
    for _ in range(steps):
        change = _back(v, v @ direction[:, :, None]) + diagonal * direction
        step = size / np.maximum(np.einsum("bd,bd->b", direction, change), TINY)
        u = u + step[:, None] * direction
        residual = residual - step[:, None] * change
        scaled: Matrix = residual / diagonal
        before, size = size, np.einsum("bd,bd->b", residual, scaled)
        direction = scaled + (size / np.maximum(before, TINY))[:, None] * direction
    return u


def _back(v: Matrix, weights: Matrix) -> Matrix:
    """Σ_l weights (b, l, 1) · v (b, l, d)."""
    summed: Matrix = (weights.transpose(0, 2, 1) @ v)[:, 0]
    return summed


def _groups(x: sparse.csr_matrix, d: int) -> Iterator[Group]:
    """Rows of similar length together: (rows (b,), columns (b, l)), short rows filled up with n."""
    counts = np.diff(x.indptr)
    order = np.argsort(counts, kind="stable")
    start = int(np.searchsorted(counts[order], 1))
    while start < len(order):
        longest = int(counts[order[start]] * PADDING) + 1
        stop = int(np.searchsorted(counts[order], longest, side="right"))
        longest = int(counts[order[stop - 1]])
        stop = min(stop, start + max(1, CELLS // (longest * d)))
        rows = order[start:stop]
        longest = int(counts[rows[-1]])
        place = np.arange(longest)
        inside = place < counts[rows, None]
        columns = np.full((len(rows), longest), x.shape[1], np.int32)
        columns[inside] = x.indices[(x.indptr[rows, None] + place)[inside]]
        yield rows, columns
        start = stop
