"""Products bought together: the cosine of the sets of orders that they are in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.predict.features.trails import Orders

LEAST_TOGETHER = 2  # orders that two products share, from which they count as bought together
BLOCK = 256  # products whose neighbours are counted at once
MANY_LINES = 100  # orders longer than this say little of what goes together


def together(orders: Orders, n: int, neighbours: int) -> sparse.csr_matrix:
    """Cosine of the sets of orders, the best neighbours of each product, itself left out."""
    lines = orders.lines_of
    short = orders.lines[orders.line_order] <= MANY_LINES
    baskets = sparse.csr_matrix(
        (np.ones(int(short.sum()), np.float32), (orders.line_order[short], lines.products[short])),
        shape=(len(orders.at), n),
    )
    baskets.sum_duplicates()
    baskets.data[:] = 1
    norms = np.sqrt(np.maximum(np.asarray(baskets.sum(axis=0)).ravel(), 1)).astype(np.float32)
    of_product = baskets.T.tocsr()
    # All pairs at once would be nearly dense: a block of products at a time, of which only the best stay.
    blocks = [
        _best(_cosines(of_product[start : start + BLOCK], baskets, norms, start), neighbours)
        for start in range(0, n, BLOCK)
    ]
    return sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((n, n), dtype=np.float32)


def _cosines(
    block: sparse.csr_matrix, baskets: sparse.csr_matrix, norms: npt.NDArray[np.float32], start: int
) -> sparse.csr_matrix:
    """Of the products from ``start`` on with all that share enough orders with them."""
    pairs = (block @ baskets).tocsr()
    own = start + np.repeat(np.arange(block.shape[0]), np.diff(pairs.indptr))
    kept = (pairs.data >= LEAST_TOGETHER) & (pairs.indices != own)
    own, other = own[kept], pairs.indices[kept]
    values = (pairs.data[kept] / (norms[own] * norms[other])).astype(np.float32)
    return sparse.csr_matrix((values, (own - start, other)), shape=pairs.shape)


def _best(pairs: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k largest values of each row, of equal ones the first."""
    kept = np.ones(len(pairs.data), bool)
    for row in np.flatnonzero(np.diff(pairs.indptr) > k):
        part = slice(pairs.indptr[row], pairs.indptr[row + 1])
        values = pairs.data[part]
        border = np.partition(values, -k)[-k]
        kept[part] = values > border
        level = np.flatnonzero(values == border)[: k - int((values > border).sum())]
        kept[part.start + level] = True
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))[kept]
    return sparse.csr_matrix((pairs.data[kept], (rows, pairs.indices[kept])), shape=pairs.shape)
