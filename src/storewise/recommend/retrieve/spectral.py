"""First product vectors for factor models: what a few multiplications with the interactions make of noise."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from storewise.recommend.retrieve.least_squares import Matrix

NOISE = 0.01
"""Share of the random start that is left in, so that no direction is zero when x has a smaller rank."""
ABSENT = 1e-8
"""A direction with a smaller share of the largest one's square is rounding error."""


def spectral_start(x: sparse.csr_matrix, noise: Matrix, *, rounds: int) -> Matrix:
    """``noise`` (n, d) moved towards the leading singular vectors of ``x`` (m, n), CSR of ones.

    Subspace iteration (Halko, Martinsson & Tropp 2011) on x with rows and columns divided by the square roots
    of their counts, so that neither busy customers nor popular products fill the subspace; made orthonormal,
    weighted by those square roots again and scaled to columns of length 1 on average.
    ``rounds`` 0 returns the noise. Products that nobody has keep noise only.

    >>> x = sparse.csr_matrix(np.kron(np.eye(2), np.ones((5, 3))))  # two groups
    >>> v = spectral_start(x, np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32), rounds=2)
    >>> apart = v @ v.T
    >>> bool(apart[0, 1] > 5 * abs(apart[0, 4]))
    True
    """
    if not rounds:
        return noise
    per_row = np.diff(x.indptr)
    per_column = np.bincount(x.indices, minlength=x.shape[1])
    weights = np.repeat(_root(per_row), per_row) * _root(per_column)[x.indices]
    normal = sparse.csr_matrix((weights, x.indices, x.indptr), shape=x.shape)
    v = noise
    for _ in range(rounds):
        v = _orthonormal(normal.T @ (normal @ v))
    v = v * np.sqrt(per_column, dtype=np.float32)[:, None]
    found: Matrix = v * np.sqrt(v.shape[1] / max(float(np.sum(v * v)), 1e-30)).astype(np.float32)
    return found + np.float32(NOISE) * noise


def _root(counts: np.ndarray) -> Matrix:
    inverse: Matrix = (1.0 / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
    return inverse


def _orthonormal(v: Matrix) -> Matrix:
    """The nearest orthonormal columns; unlike others these change little when v does, in all cases. Where v
    lacks a direction they do too."""
    values, basis = np.linalg.eigh(v.T.astype(np.float64) @ v)
    there = values > values[-1] * ABSENT
    root = np.where(there, 1.0 / np.sqrt(np.where(there, values, 1.0)), 0.0)
    nearest: Matrix = v @ ((basis * root) @ basis.T).astype(np.float32)
    return nearest
