"""Mean-centred neighbourhood models for ratings, over products or over customers.

Sarwar et al. 2001 (items), Resnick et al. 1994 (users); residuals of the shrunken means instead of raw
ratings, and correlations shrunken by their support, as in Koren 2010, "Factor in the Neighbors".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.progress import Progress
from storewise.recommend.ratings.base import RatingConfig, RatingPredictor
from storewise.recommend.ratings.table import Floats, Ratings

SHRINKAGES = (2.0, 8.0, 32.0, 128.0)
DAMPINGS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
BLOCK_CELLS = 4_000_000
PAIRS_AT_ONCE = 20_000


class NeighbourhoodConfig(RatingConfig):
    """``neighbours`` kept for each product (customer); ``similarity_shrinkage``: a correlation over n common
    raters counts n / (n + this); ``power``: of the similarity; ``damping``: added to the weight sum, pulls
    predictions with few or faint neighbours to the means. Where shrinkage or damping is None it is chosen on
    a held-out tenth of the ratings."""

    neighbours: int = Field(300, ge=1)
    similarity_shrinkage: float | None = Field(None, ge=0.0)
    power: float = Field(2.0, gt=0.0)
    damping: float | None = Field(None, gt=0.0)


class UserNeighbourhoodConfig(NeighbourhoodConfig):
    """The same with the defaults that suit customers, who overlap less than products do."""

    power: float = Field(1.0, gt=0.0)


class Neighbourhood(RatingPredictor[NeighbourhoodConfig]):
    """means + Σ s_ij e_uj / (Σ s_ij + damping), e = rating minus means, over the neighbours j of i that u
    rated. Subclasses say which side the neighbours are on."""

    Config = NeighbourhoodConfig
    over_products: ClassVar[bool]
    _shrinkage: float = 100.0  # these two where there is too little to choose them on
    _damping: float = 0.1
    _residuals: sparse.csr_matrix  # (others, entities): entities are what similarity is between
    _similar: sparse.csr_matrix  # (entities, entities): row = target, columns = its neighbours

    def tune(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        """Shrinkage and damping with the least squared error on a held-out tenth."""
        config = self.config
        kept, held = ratings.hold_out(0.1, rng)
        shrinkages = SHRINKAGES if config.similarity_shrinkage is None else (config.similarity_shrinkage,)
        dampings = DAMPINGS if config.damping is None else (config.damping,)
        self._shrinkage, self._damping = shrinkages[-1], dampings[-1]
        if len(held) == 0 or len(shrinkages) * len(dampings) == 1:
            return
        best = np.inf
        for shrinkage in shrinkages:
            trial = type(self)(config)
            trial._shrinkage = shrinkage
            trial.fit_on(kept, rng, progress)
            target = trial.means.residuals(held)
            total, weight = trial._sums(held.customers, held.products)
            for damping in dampings:
                error = float(np.mean((target - total / (weight + damping)) ** 2))
                if error < best:
                    best, self._shrinkage, self._damping = error, shrinkage, damping

    def fit(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        self._residuals = self._oriented(ratings)
        self._similar = similar(
            self._residuals,
            neighbours=self.config.neighbours,
            shrinkage=self._shrinkage,
            power=self.config.power,
            progress=progress,
        )

    def estimate(self, customers: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> Floats:
        total, weight = self._sums(customers, products)
        return self.means.at(customers, products) + total / (weight + self._damping)

    def _sums(
        self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer]
    ) -> tuple[Floats, Floats]:
        """(b,) each: Σ s_ij e_uj and Σ s_ij."""
        who, target = (customers, products) if self.over_products else (products, customers)
        total, weight = np.zeros(len(who)), np.zeros(len(who))
        for start in range(0, len(who), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            weights, known = self._similar[target[part]], self._residuals[who[part]]
            total[part] = _row_sums(weights.multiply(known))
            weight[part] = _row_sums(weights.multiply(known.astype(bool)))
        return total, weight

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "indptr": self._similar.indptr,
            "indices": self._similar.indices,
            "similarity": self._similar.data,
            "damping": np.array(self._damping),
        }

    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        assert self.ratings is not None
        self._damping = float(state["damping"])
        self._residuals = self._oriented(self.ratings)
        n = self._residuals.shape[1]
        self._similar = sparse.csr_matrix(
            (state["similarity"], state["indices"], state["indptr"]), shape=(n, n)
        )

    def _oriented(self, ratings: Ratings) -> sparse.csr_matrix:
        # A residual of exactly 0 would vanish from a sparse matrix that multiplies; nudge it.
        residuals = self.means.residuals(ratings)
        residuals[residuals == 0.0] = 1e-12
        found = ratings.matrix(residuals)
        return found if self.over_products else found.T.tocsr()


class ItemNeighbourhood(Neighbourhood):
    """How this customer rated similar products.

    >>> table = Ratings.build([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [5, 5, 1, 1, 5], n_customers=3, n_products=2)
    >>> model = ItemNeighbourhood(NeighbourhoodConfig(similarity_shrinkage=0.0))
    >>> model.train_on(table, rng=np.random.default_rng(0))
    >>> bool(model.predict(2, 1).value[0] > model.means.at(np.array([2]), np.array([1]))[0])
    True
    """

    over_products = True


class UserNeighbourhood(Neighbourhood):
    """How similar customers rated this product.

    >>> UserNeighbourhood().config.power
    1.0
    """

    Config = UserNeighbourhoodConfig
    over_products = False


def similar(
    residuals: sparse.csr_matrix,
    *,
    neighbours: int,
    shrinkage: float,
    power: float,
    progress: Progress,
) -> sparse.csr_matrix:
    """Positive shrunken correlations between the columns of ``residuals`` (m, n), over common rows only.

    Returns (n, n): each row holds its ``neighbours`` strongest columns, without itself. Works in blocks of
    columns, so memory stays at a few times 4 million numbers.
    """
    n = residuals.shape[1]
    rated = residuals.copy()
    rated.data = np.ones_like(rated.data)
    squares = residuals.multiply(residuals).tocsr()
    by_column = [matrix.T.tocsr() for matrix in (residuals, squares, rated)]
    size = max(1, BLOCK_CELLS // max(n, 1))
    rows = []
    for start in progress.track(range(0, n, size), label="rating neighbours"):
        block = [matrix[start : start + size] for matrix in by_column]
        product = (block[0] @ residuals).toarray()
        own, other = (block[1] @ rated).toarray(), (block[2] @ squares).toarray()
        common = (block[2] @ rated).toarray()
        with np.errstate(invalid="ignore", divide="ignore"):
            found = product / np.sqrt(own * other) * common / (common + shrinkage)
        found = np.where(found > 0.0, found, 0.0) ** power  # also turns 0/0 (no common rater) into 0
        found[np.arange(len(found)), start + np.arange(len(found))] = 0.0
        rows.append(_strongest(found, neighbours))
    return sparse.vstack(rows, format="csr") if rows else sparse.csr_matrix((n, n))


def _strongest(found: Floats, neighbours: int) -> sparse.csr_matrix:
    """Each row's largest entries."""
    if neighbours < found.shape[1]:
        chosen = np.argpartition(-found, neighbours - 1, axis=1)[:, :neighbours]
        kept = np.zeros_like(found)
        np.put_along_axis(kept, chosen, np.take_along_axis(found, chosen, axis=1), axis=1)
        found = kept
    return sparse.csr_matrix(found)


def _row_sums(matrix: sparse.spmatrix) -> Floats:
    return np.asarray(matrix.sum(axis=1), np.float64).ravel()
