"""Pairs of texts that belong together, as the shop's own behaviour says: bought together, bought after, clicked for.

A basket is what one customer bought at one moment. Of two products a and b, with n_a baskets that hold a, n_ab
that hold both, and each basket of s products counted 1 / (s − 1) so that a wholesaler's does not drown the rest::

    count   w_ab = Σ over shared baskets of 1 / (s − 1)
    cosine  w_ab / √(w_a w_b)
    pmi     max(0, log(w_ab W / (w_a w_b))),    w_a = Σ_b w_ab,  W = Σ_a w_a
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import ConfigError
from storewise.data.interactions import Interactions

Weighting = Literal["count", "cosine", "pmi"]
Ints = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """``left``/``right`` (p,): indices of texts; ``weight`` (p,): how often a pair is drawn, in proportion.
    ``observed`` (n, n) sparse, symmetric: every two texts that could be drawn as a pair, which are therefore
    never taken as negatives of each other."""

    left: Ints
    right: Ints
    weight: Weights
    observed: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.left)


def bought_together(
    behaviour: Interactions, *, weighting: Weighting = "cosine", min_baskets: int = 3
) -> Pairs:
    """Products of the same basket, in at least ``min_baskets`` baskets.

    Raises:
        ConfigError: for an unknown weighting.

    >>> shop = Interactions.build([0, 0, 1, 1], [2, 3, 2, 3], at=[5, 5, 9, 9], n_customers=2, n_products=4)
    >>> pairs = bought_together(shop, min_baskets=2)
    >>> pairs.left.tolist(), pairs.right.tolist()
    ([2], [3])
    """
    basket, n_baskets = baskets_of(behaviour)
    held = _incidence(basket, behaviour.products, n_baskets, behaviour.n_products)
    size = np.asarray(held.sum(axis=1)).ravel()
    scaled = sparse.diags(1.0 / np.maximum(size - 1.0, 1.0)) @ held
    return _pairs((held.T @ scaled).tocsr(), (held.T @ held).tocsr(), weighting, min_baskets)


def bought_after(behaviour: Interactions, *, weighting: Weighting = "cosine", min_baskets: int = 3) -> Pairs:
    """A product of one basket and one of the same customer's next basket.

    >>> shop = Interactions.build([0, 0, 1, 1], [2, 3, 2, 3], at=[1, 5, 2, 9], n_customers=2, n_products=4)
    >>> len(bought_after(shop, min_baskets=2)), len(bought_together(shop, min_baskets=1))
    (1, 0)
    """
    basket, n_baskets = baskets_of(behaviour)
    held = _incidence(basket, behaviour.products, n_baskets, behaviour.n_products)
    owner = np.zeros(n_baskets, np.int64)
    owner[basket] = behaviour.customers
    follows = np.flatnonzero(owner[:-1] == owner[1:])  # baskets are numbered by customer, then by time
    before, after = held[follows], held[follows + 1]
    size = np.asarray(after.sum(axis=1)).ravel()
    scaled = sparse.diags(1.0 / np.maximum(size, 1.0)) @ after
    found, counts = (before.T @ scaled).tocsr(), (before.T @ after).tocsr()
    return _pairs((found + found.T).tocsr(), (counts + counts.T).tocsr(), weighting, min_baskets)


def clicked_for(
    queries: Ints, products: Ints, *, n_queries: int, n_products: int, who: Ints | None = None,
    min_clicks: int = 1, most_per_query: int = 20,
) -> Pairs:  # fmt: skip
    """Queries and the products clicked or bought for them; query q is text ``n_products + q``.

    ``who`` (c,): shopper of each event. A pair weighs √(shoppers), who count once each; None: every event is another
    one. Pairs of fewer than ``min_clicks`` shoppers are left out, and of each query all but the ``most_per_query``
    with the most (then by index), so that no query drowns the rest; all stay ``observed``.

    >>> pairs = clicked_for(np.array([0, 0]), np.array([1, 1]), n_queries=1, n_products=2)
    >>> pairs.left.tolist(), pairs.right.tolist(), pairs.weight.round(2).tolist()
    ([2], [1], [1.41])
    >>> clicked_for(np.array([0, 0]), np.array([1, 1]), who=np.array([5, 5]), n_queries=1, n_products=2).weight.tolist()
    [1.0]
    """
    n = n_products + n_queries
    if who is not None and len(who):
        told = np.unique(np.column_stack([queries, products, who]), axis=0)
        queries, products = told[:, 0], told[:, 1]
    seen = _incidence(queries + n_products, products, n, n, binary=False)
    counts = sparse.csr_matrix(seen + seen.T)
    kept = seen.tocoo()
    left, right, shoppers = kept.row.astype(np.int64), kept.col.astype(np.int64), kept.data
    order = np.lexsort((right, -shoppers, left))
    left, right, shoppers = left[order], right[order], shoppers[order]
    first = np.searchsorted(left, left)  # where a pair's query begins
    enough = (shoppers >= min_clicks) & (np.arange(len(left)) - first < most_per_query)
    return Pairs(left[enough], right[enough], np.sqrt(shoppers[enough]), counts)


def baskets_of(behaviour: Interactions) -> tuple[Ints, int]:
    """(nnz,) basket number of each event, by customer and then by time, and how many there are."""
    if not len(behaviour):
        return np.zeros(0, np.int64), 0
    new = (np.diff(behaviour.customers) != 0) | (np.diff(behaviour.at) != 0)
    numbers = np.concatenate([[0], np.cumsum(new)]).astype(np.int64)
    return numbers, int(numbers[-1]) + 1


def without_twins(pairs: Pairs, texts: Sequence[str]) -> Pairs:
    """Without pairs of equal or empty texts, from which nothing is learned.

    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.ones(2), sparse.csr_matrix((3, 3)))
    >>> len(without_twins(pairs, ["Cup", "cup ", "Lamp"]))
    1
    """
    plain = np.array([" ".join(text.lower().split()) for text in texts], dtype=object)
    a, b = plain[pairs.left], plain[pairs.right]
    kept = np.array([x != y and bool(x) and bool(y) for x, y in zip(a, b, strict=True)], bool)
    return Pairs(pairs.left[kept], pairs.right[kept], pairs.weight[kept], pairs.observed)


def _incidence(rows: Ints, columns: npt.NDArray[np.integer], n_rows: int, n: int, *, binary: bool = True) -> sparse.csr_matrix:  # fmt: skip
    found = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_rows, n))
    found.sum_duplicates()
    if binary:
        found.data[:] = 1.0
    return found


def _pairs(
    weight: sparse.csr_matrix, counts: sparse.csr_matrix, weighting: Weighting, min_baskets: int
) -> Pairs:
    """Each unordered pair once, with its weight."""
    counts.setdiag(0)
    # In a wholesaler's baskets almost any two products meet once: only pairs that may be drawn are "observed".
    counts.data[counts.data < min_baskets] = 0
    counts.eliminate_zeros()
    weight.setdiag(0)
    total = np.asarray(weight.sum(axis=1)).ravel()
    kept = sparse.triu(counts, k=1).tocoo()
    a, b = kept.row.astype(np.int64), kept.col.astype(np.int64)
    w = np.asarray(weight[a, b]).ravel() if len(a) else np.zeros(0)
    if weighting == "cosine":
        w = w / np.sqrt(np.maximum(total[a] * total[b], 1e-12))
    elif weighting == "pmi":
        w = np.log(np.maximum(w * total.sum() / np.maximum(total[a] * total[b], 1e-12), 1.0))
    elif weighting != "count":
        raise ConfigError(f"There is no weighting {weighting!r}.", next_step="Choose count, cosine or pmi.")
    drawn = w > 0
    return Pairs(a[drawn], b[drawn], w[drawn], counts)
