"""What somebody has rated says who they are, whatever the ratings: the implicit half of SVD++.

Koren 2008 adds to each customer's factors a sum over the products rated. Here that sum is the mean of the
factors' prior, a ridge regression of the factors on the rated products (as side information enters Macau,
Simm et al. 2017), and the same the other way round for products.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from storewise.recommend.ratings.table import Floats


class ImplicitPrior:
    """Fitted values of a ridge regression on who rated what, for a matrix of n rows.

    >>> rated = sparse.csr_matrix(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))
    >>> ImplicitPrior(rated, strength=1.0).smooth(np.array([[1.0], [0.0], [5.0]])).round(3).ravel().tolist()
    [0.333, 0.333, 2.5]
    """

    def __init__(self, rated: sparse.csr_matrix, *, strength: float) -> None:
        sizes = np.sqrt(np.maximum(np.asarray(rated.sum(axis=1)).ravel(), 1.0))
        self._features: sparse.csr_matrix = (sparse.diags(1.0 / sizes) @ rated).tocsr()
        self._transposed: sparse.csr_matrix = self._features.T.tocsr()
        self._strength = strength
        self._last: Floats | None = None

    def smooth(self, targets: Floats, *, iterations: int = 20, tolerance: float = 1e-3) -> Floats:
        """K (K + strength)⁻¹ targets for K = F Fᵀ and targets (n, d), by conjugate gradients on all columns
        at once, started from the previous call's solution (factors move little between sweeps)."""
        start = self._last
        if start is None or start.shape != targets.shape:
            start = np.zeros_like(targets)
        solution = start.copy()
        rest = targets - self._apply(solution)
        direction, norm = rest.copy(), (rest**2).sum(axis=0)
        goal = tolerance**2 * np.maximum((targets**2).sum(axis=0), 1e-30)
        for _ in range(iterations):
            if (norm <= goal).all():
                break
            image = self._apply(direction)
            step = norm / np.maximum((direction * image).sum(axis=0), 1e-300)
            solution += step * direction
            rest -= step * image
            previous, norm = norm, (rest**2).sum(axis=0)
            direction = rest + norm / np.maximum(previous, 1e-300) * direction
        self._last = solution
        return np.asarray(targets - self._strength * solution, np.float64)

    def _apply(self, x: Floats) -> Floats:
        return np.asarray(self._features @ (self._transposed @ x) + self._strength * x, np.float64)
