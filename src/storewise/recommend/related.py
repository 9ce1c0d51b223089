"""Product-to-product tables: what the same customers buy, and what lies in the same basket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.data.interactions import Interactions

BLOCK = 512  # products whose co-occurrences are in memory at a time


@dataclass(frozen=True)
class Related:
    """The best neighbours of each product, best first.

    ``indptr`` (n_products + 1,), ``products`` (nnz,) int32, ``scores`` (nnz,) float32 falling within a
    product, ``support`` (nnz,) int32: customers or baskets that had both, ``lift`` (nnz,) float32.
    """

    indptr: npt.NDArray[np.int64]
    products: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    support: npt.NDArray[np.int32]
    lift: npt.NDArray[np.float32]

    def of(self, product: int) -> slice:
        """Where the neighbours of a product stand."""
        return slice(int(self.indptr[product]), int(self.indptr[product + 1]))


def similar(behaviour: Interactions, *, k: int = 50, min_support: int = 2) -> Related:
    """Cosine between products over the customers who bought them.

    Pairs that fewer than ``min_support`` customers bought are left out. Complexity: the sum over customers
    of the square of their different products.

    >>> shop = Interactions.build([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_customers=3, n_products=3)
    >>> similar(shop).products.tolist()
    [1, 0]
    """
    groups = behaviour.matrix
    return _related(groups, k, min_support, by="cosine", shrinkage=0.0)


def bought_together(
    behaviour: Interactions,
    *,
    k: int = 50,
    min_support: int = 3,
    shrinkage: float = 5.0,
    gap_s: float = 1_800.0,
    max_lines: int = 300,
) -> Related:
    """Products of the same basket more often than by chance.

    With a and b in n_a and n_b of N baskets and in n_ab together, chance expects e = n_a n_b / N;
    ``lift`` = (n_ab + s) / (e + s) with shrinkage s, ``scores`` = n_ab ln(lift), the local mutual
    information (Evert 2005), which does not put rare coincidences first as a bare lift does. Pairs with a
    lift of at most 1 are left out, and so are baskets of more than ``max_lines`` (resellers).
    """
    return _related(baskets(behaviour, gap_s, max_lines), k, min_support, by="lift", shrinkage=shrinkage)


def baskets(behaviour: Interactions, gap_s: float = 1_800.0, max_lines: int = 300) -> sparse.csr_matrix:
    """(n_baskets, n_products) of ones: purchases of one customer with gaps of at most ``gap_s`` seconds.

    >>> shop = Interactions.build([0, 0, 0], [0, 1, 2], at=[0, 60, 9000], n_customers=1, n_products=3)
    >>> baskets(shop).toarray().tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if not len(behaviour):
        return sparse.csr_matrix((0, behaviour.n_products), dtype=np.float32)
    starts = np.ones(len(behaviour), bool)
    starts[1:] = (np.diff(behaviour.customers) != 0) | (np.diff(behaviour.at) > gap_s)
    basket = np.cumsum(starts) - 1
    shape = (int(basket[-1]) + 1, behaviour.n_products)
    found = sparse.csr_matrix((np.ones(len(basket), np.float32), (basket, behaviour.products)), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    return found[np.diff(found.indptr) <= max_lines]


def _related(groups: sparse.csr_matrix, k: int, min_support: int, *, by: str, shrinkage: float) -> Related:
    n = groups.shape[1]
    count = np.bincount(groups.indices, minlength=n).astype(np.float64)
    parts: list[tuple[npt.NDArray[np.int64], ...]] = []
    lengths = np.zeros(n, np.int64)
    for start, block in _co_occurrence(groups):
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr)) + start
        keep = (block.data >= min_support) & (block.indices != row)
        row, column, support = row[keep], block.indices[keep], block.data[keep].astype(np.float64)
        expected = count[row] * count[column] / max(groups.shape[0], 1)
        lift = (support + shrinkage) / (expected + shrinkage)
        cosine = support / np.sqrt(count[row] * count[column])
        score = cosine if by == "cosine" else support * np.log(lift)
        better = score > 0
        better[better] = _could_be_best(row[better], score[better], k)
        row, column, score = row[better], column[better], score[better]
        support, lift = support[better], lift[better]
        order = np.lexsort((column, -score, row))
        place = np.arange(len(row)) - np.searchsorted(row, row)  # rows are in order, so this is the rank
        order = order[place < k]
        lengths += np.bincount(row[order], minlength=n)
        parts.append((column[order], score[order], support[order], lift[order]))
    columns = [np.concatenate([part[i] for part in parts]) if parts else np.empty(0) for i in range(4)]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Related(
        indptr,
        columns[0].astype(np.int32),
        columns[1].astype(np.float32),
        columns[2].astype(np.int32),
        columns[3].astype(np.float32),
    )


def _could_be_best(
    row: npt.NDArray[np.int64], score: npt.NDArray[np.float64], k: int
) -> npt.NDArray[np.bool_]:
    """False where k entries of the same row are larger: what is left is quick to sort."""
    kept = np.ones(len(row), bool)
    borders = np.flatnonzero(np.diff(row)) + 1
    for start, stop in pairwise([0, *borders.tolist(), len(row)]):
        if stop - start > k:
            values = score[start:stop]
            kept[start:stop] = values >= np.partition(values, -k)[-k]
    return kept


def _co_occurrence(groups: sparse.csr_matrix) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """Blocks of rows of groupsᵀ groups, so that memory stays bounded."""
    by_product = groups.T.tocsr()
    for start in range(0, groups.shape[1], BLOCK):
        yield start, (by_product[start : start + BLOCK] @ groups).tocsr()
