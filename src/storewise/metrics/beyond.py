"""What lists are like beside being right: coverage, novelty, diversity, popularity.

Lists are (b, k) product indices padded with -1, as in :mod:`storewise.metrics.ranking`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.metrics.intervals import Interval

Lists = npt.NDArray[np.int32]
PerUser = npt.NDArray[np.float64]
NORMAL_95 = 1.959964
PAIR_BATCH = 256
LIST_CELLS = 8_000_000
"""Customers of listed products that are added up at a time: bounds memory, however popular they are."""


def coverage(top: Lists, n_products: int) -> Interval:
    """Share of the catalogue that stands in at least one list.

    Its interval is the jackknife's: leaving a user out takes away the products that only this user's list
    holds. (A bootstrap sample repeats users, so it would cover too little.)

    >>> coverage(np.array([[0, 1], [1, -1]]), 4).value
    0.5
    """
    users, products = np.nonzero(top >= 0)[0], top[top >= 0]
    pairs = np.unique(np.stack([users, products]), axis=1)
    holders = np.bincount(pairs[1], minlength=n_products)
    value = float((holders > 0).sum()) / max(n_products, 1)
    alone = np.bincount(pairs[0][holders[pairs[1]] == 1], minlength=len(top)) / max(n_products, 1)
    n = len(top)
    spread = NORMAL_95 * float(np.sqrt((n - 1) / n * np.sum((alone - alone.mean()) ** 2))) if n else 0.0
    return Interval(value, max(0.0, value - spread), min(1.0, value + spread))


def novelty(top: Lists, popularity: npt.NDArray[np.integer], n_customers: int) -> PerUser:
    """(b,): mean self-information -log2(p) in bits of the listed products (Zhou et al., 2010).

    ``p`` is the share of customers who have the product, (popularity + 1) / (n_customers + 1), so that a
    product that nobody has is finite. An empty list is NaN.

    >>> novelty(np.array([[0, 1]]), np.array([3, 0]), 3).tolist()
    [1.0]
    """
    bits = -np.log2((popularity + 1.0) / (n_customers + 1.0))
    return _mean_of_listed(bits, top)


def mean_popularity(top: Lists, popularity: npt.NDArray[np.integer]) -> PerUser:
    """(b,): mean number of customers of the listed products; an empty list is NaN.

    >>> mean_popularity(np.array([[0, 1], [1, -1]]), np.array([3, 1])).tolist()
    [2.0, 1.0]
    """
    return _mean_of_listed(np.asarray(popularity, np.float64), top)


def _mean_of_listed(values: PerUser, top: Lists) -> PerUser:
    listed = top >= 0
    sums = np.where(listed, values[np.maximum(top, 0)], 0.0).sum(axis=1)
    counts = listed.sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def diversity(top: Lists, matrix: sparse.csr_matrix) -> PerUser:
    """(b,): mean of 1 - cosine over all pairs of a list (Ziegler et al., 2005); NaN below two products.

    ``matrix`` (n_customers, n_products): two products are alike when the same customers have them.

    >>> diversity(np.array([[0, 1], [0, 2]]), sparse.csr_matrix([[1, 1, 0], [1, 1, 1]])).round(3).tolist()
    [0.0, 0.293]
    """
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    unit = sparse.csr_matrix(matrix @ sparse.diags(1.0 / np.maximum(norms, 1e-12))).T.tocsr()
    own = (norms > 0).astype(np.float64)  # u · u
    result = np.full(len(top), np.nan)
    cost = np.where(top >= 0, np.diff(unit.indptr)[np.maximum(top, 0)], 0).sum(axis=1)
    borders = np.searchsorted(np.cumsum(cost), np.arange(LIST_CELLS, cost.sum(), LIST_CELLS))
    for start, stop in itertools.pairwise(np.unique([0, *borders, len(top)]).tolist()):
        part = top[start:stop]
        rows, products = np.nonzero(part >= 0)[0], part[part >= 0]
        listed = sparse.csr_matrix((np.ones(len(rows)), (rows, products)), shape=(len(part), unit.shape[0]))
        total = listed @ unit
        # Σ over pairs of u·v = (|Σ u|² - Σ u·u) / 2: one product of matrices instead of k² / 2 rows for each list.
        alike = np.asarray(total.multiply(total).sum(axis=1), np.float64).ravel() - listed @ own
        length = np.bincount(rows, minlength=len(part))
        pairs = length * (length - 1)
        apart = np.clip(1.0 - alike / np.maximum(pairs, 1), 0.0, 1.0)
        result[start:stop] = np.where(pairs > 0, apart, np.nan)
    return result


def category_diversity(top: Lists, categories: npt.NDArray[np.integer]) -> PerUser:
    """(b,): share of the pairs of a list that lie in different categories; NaN below two products.

    >>> category_diversity(np.array([[0, 1, 2]]), np.array([7, 7, 8])).round(3).tolist()
    [0.667]
    """

    def same(left: Lists, right: Lists) -> PerUser:
        found: npt.NDArray[np.bool_] = categories[left] == categories[right]
        return found.astype(np.float64)

    return _mean_unlikeness(top, same)


def _mean_unlikeness(top: Lists, likeness: Callable[[Lists, Lists], PerUser]) -> PerUser:
    """Mean of 1 - likeness over the pairs of each list, a batch of lists at a time (bounded memory)."""
    first, second = np.triu_indices(top.shape[1], k=1)
    result = np.full(len(top), np.nan)
    for start in range(0, len(top), PAIR_BATCH):
        part = top[start : start + PAIR_BATCH]
        left, right = part[:, first], part[:, second]
        present = (left >= 0) & (right >= 0)
        apart = np.zeros(present.shape)
        apart[present] = 1.0 - likeness(left[present], right[present])
        pairs = present.sum(axis=1)
        result[start : start + PAIR_BATCH] = np.where(
            pairs > 0, apart.sum(axis=1) / np.maximum(pairs, 1), np.nan
        )
    return result
