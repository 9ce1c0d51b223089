"""Quality of ranked lists, one value for each shopper.

All functions take ``top`` (b, k) product indices, best first, -1 where a list is shorter than k, and
``relevant`` (b, n_products) sparse, nonzero where the shopper acted afterwards; they return (b,) float64, NaN
for a shopper with nothing to find. Only ranks count here; :func:`top_k` makes ranks of scores.

**Ties are broken against the model**: of products with equal scores the relevant ones come last. A model that
scores everything alike therefore finds nothing, and no metric can be raised by scoring less finely.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse

Lists = npt.NDArray[np.int32]
PerUser = npt.NDArray[np.float64]


def top_k(scores: npt.NDArray[np.floating], k: int, relevant: sparse.csr_matrix | None = None) -> Lists:
    """The k best products of each row of ``scores`` (b, n_products), padded with -1: (b, k).

    Scores of -inf are never listed. Ties go to irrelevant products first, then to the smaller index; without
    ``relevant`` to the smaller index alone.

    >>> top_k(np.array([[1.0, 2.0, 2.0]]), 2, sparse.csr_matrix([[0, 1, 0]]))
    array([[2, 1]], dtype=int32)
    >>> top_k(np.array([[1.0, -np.inf, 2.0]]), 3)
    array([[ 2,  0, -1]], dtype=int32)
    """
    b, n = scores.shape
    lists = np.full((b, k), -1, np.int32)
    if b == 0 or n == 0 or k == 0:
        return lists
    wanted = np.zeros((b, n), bool)
    if relevant is not None:
        wanted[_rows(relevant), relevant.indices] = relevant.data != 0
    width = min(k, n)
    border = np.array([kth_largest(row, width) for row in scores], scores.dtype)
    least = np.maximum(border, np.finfo(scores.dtype).min)  # -inf is never listed
    # Row by row: several times quicker than one search of the whole block.
    near = [np.flatnonzero(row >= value) for row, value in zip(scores, least, strict=True)]
    rows, columns = np.repeat(np.arange(b), [len(part) for part in near]), np.concatenate(near)
    found, last = scores[rows, columns], wanted[rows, columns]
    above = found > border[rows]
    room = width - np.bincount(rows[above], minlength=b)
    chosen = above | _first(~above & ~last, rows, room)
    chosen |= _first(~above & last, rows, width - np.bincount(rows[chosen], minlength=b))
    rows, columns, found, last = rows[chosen], columns[chosen], found[chosen], last[chosen]
    order = np.lexsort((columns, last, -found, rows))
    lists[rows, _place_in_row(rows, b)] = columns[order]
    return lists


def kth_largest(values: npt.NDArray[np.floating], k: int) -> np.floating:
    """The k-th largest of ``values`` (n,), 1 <= k <= n.

    Scores are often full of ties (-inf, a floor, counts), on which ``np.partition`` is over ten times slower
    than on different values. The k-th largest of the maxima of blocks is a lower bound; at least k values
    reach it, so it is the answer unless k values lie above.

    >>> float(kth_largest(np.array([3.0, 9.0, 9.0, 1.0]), 3))
    3.0
    """
    n, blocks = len(values), max(8 * k, 512)
    if n >= 4 * blocks:
        maxima = np.maximum.reduceat(values, np.arange(blocks) * n // blocks)
        bound: np.floating = np.partition(maxima, blocks - k)[blocks - k]
        values = values[values > bound]
        if len(values) < k:
            return bound
    found: np.floating = np.partition(values, len(values) - k)[len(values) - k]
    return found


def _first(
    mask: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64], room: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Of the true entries of each row (``rows`` sorted), keep the first ``room[row]``."""
    kept = np.zeros_like(mask)
    mine = rows[mask]
    kept[np.flatnonzero(mask)[_place_in_row(mine, len(room)) < room[mine]]] = True
    return kept


def _place_in_row(rows: npt.NDArray[np.int64], b: int) -> npt.NDArray[np.int64]:
    """0, 1, 2 … within each run of equal (sorted) row numbers."""
    starts = np.searchsorted(rows, np.arange(b))
    return np.arange(len(rows)) - starts[rows]


def _rows(matrix: sparse.csr_matrix) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def hits(top: Lists, relevant: sparse.csr_matrix) -> npt.NDArray[np.bool_]:
    """(b, k): True where the listed product is relevant.

    >>> hits(np.array([[2, 0, -1]]), sparse.csr_matrix([[0, 1, 1]])).tolist()
    [[True, False, False]]
    """
    n = relevant.shape[1]
    present = relevant.data != 0
    known = np.sort((_rows(relevant) * n + relevant.indices)[present])
    asked = np.arange(len(top))[:, None] * n + top
    if not len(known):
        return np.zeros(top.shape, bool)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: npt.NDArray[np.bool_] = (known[place] == asked) & (top >= 0)
    return found


def n_relevant(relevant: sparse.csr_matrix) -> PerUser:
    """(b,): how many products there were to find, NaN for none."""
    found = np.bincount(_rows(relevant)[relevant.data != 0], minlength=relevant.shape[0]).astype(float)
    return np.where(found > 0, found, np.nan)


def _discounts(k: int) -> PerUser:
    return 1.0 / np.log2(np.arange(2, k + 2))


def ndcg(top: Lists, relevant: sparse.csr_matrix) -> PerUser:
    """Binary NDCG; the ideal list holds min(k, number relevant) hits (Järvelin & Kekäläinen, 2002).

    >>> ndcg(np.array([[7, 3]]), sparse.csr_matrix(([1], ([0], [3])), shape=(1, 9))).round(4)
    array([0.6309])
    """
    discounts = _discounts(top.shape[1])
    wanted = n_relevant(relevant)
    cut = np.minimum(np.nan_to_num(wanted, nan=1.0), top.shape[1]).astype(int)
    ideal = np.cumsum(discounts)[cut - 1]
    return np.where(np.isnan(wanted), np.nan, hits(top, relevant) @ discounts / ideal)


def recall(top: Lists, relevant: sparse.csr_matrix) -> PerUser:
    """Hits divided by all that there was to find (not by k)."""
    found: PerUser = hits(top, relevant).sum(axis=1) / n_relevant(relevant)
    return found


def precision(top: Lists, relevant: sparse.csr_matrix) -> PerUser:
    """Hits divided by k, also when the list is shorter."""
    found = hits(top, relevant).sum(axis=1) / top.shape[1]
    return np.where(np.isnan(n_relevant(relevant)), np.nan, found)


def average_precision(top: Lists, relevant: sparse.csr_matrix) -> PerUser:
    """Sum of the precisions at the hits within k, divided by all relevant products (not by min(k, …))."""
    found = hits(top, relevant)
    precisions = np.cumsum(found, axis=1) / np.arange(1, top.shape[1] + 1)
    values: PerUser = (found * precisions).sum(axis=1) / n_relevant(relevant)
    return values


def reciprocal_rank(top: Lists, relevant: sparse.csr_matrix) -> PerUser:
    """1 / rank of the first hit, 0 when there is none within k."""
    found = hits(top, relevant)
    first = np.where(found.any(axis=1), 1.0 / (found.argmax(axis=1) + 1), 0.0)
    return np.where(np.isnan(n_relevant(relevant)), np.nan, first)


def hit(top: Lists, relevant: sparse.csr_matrix) -> PerUser:
    """1 when the list holds at least one relevant product."""
    found = hits(top, relevant).any(axis=1).astype(float)
    return np.where(np.isnan(n_relevant(relevant)), np.nan, found)


METRICS: dict[str, Callable[[Lists, sparse.csr_matrix], PerUser]] = {
    "ndcg": ndcg,
    "recall": recall,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "hit": hit,
    "precision": precision,
}
