"""Counts over pairs of products: who bought both, and in the same basket; and what chance would give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from storewise.data.interactions import DAY_S, Interactions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
BLOCK = 1_024  # products whose co-occurrences are in memory at a time
CHUNK = 20_000  # pairs that are counted at a time


@dataclass(frozen=True)
class Visits:
    """What lay together: ``matrix`` (n_visits, n_products) of ones, ``customers`` (n_visits,) whose it was, in
    rising order, ``periods`` (n_visits,) when it was, from 0."""

    matrix: sparse.csr_matrix
    customers: npt.NDArray[np.int32]
    periods: npt.NDArray[np.int32]

    @cached_property
    def by_product(self) -> sparse.csr_matrix:
        """(n_products, n_visits)."""
        return self.matrix.T.tocsr()

    @cached_property
    def counts(self) -> Floats:
        """(n_products,): visits with the product."""
        counts: Floats = np.diff(self.by_product.indptr).astype(np.float64)
        return counts

    def __len__(self) -> int:
        return int(self.matrix.shape[0])


def visits(behaviour: Interactions, gap_s: float, max_lines: int, period_days: float = 28.0) -> Visits:
    """Events of one shopper with gaps of at most ``gap_s`` seconds; visits of more than ``max_lines`` left out.
    Periods of ``period_days`` are counted from the first event on.

    >>> shop = Interactions.build([0, 0, 0], [0, 1, 2], at=[0, 60, 9000], n_customers=1, n_products=3)
    >>> visits(shop, 1800, 300).matrix.toarray().tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if not len(behaviour):
        empty = sparse.csr_matrix((0, behaviour.n_products), dtype=np.float32)
        return Visits(empty, np.empty(0, np.int32), np.empty(0, np.int32))
    starts = np.ones(len(behaviour), bool)
    starts[1:] = (np.diff(behaviour.customers) != 0) | (np.diff(behaviour.at) > gap_s)
    visit = np.cumsum(starts) - 1
    shape = (int(visit[-1]) + 1, behaviour.n_products)
    found = sparse.csr_matrix((np.ones(len(visit), np.float32), (visit, behaviour.products)), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    kept = np.diff(found.indptr) <= max_lines
    period = ((behaviour.at[starts] - behaviour.at.min()) // (period_days * DAY_S)).astype(np.int32)
    return Visits(found[kept], behaviour.customers[starts][kept], period[kept])


def frequent_pairs(found: Visits, min_support: int) -> tuple[Ints, Ints, Floats]:
    """All pairs a < b that at least ``min_support`` visits held both of: a, b, number of visits.

    >>> shop = Interactions.build([0, 0, 1, 1], [0, 1, 0, 1], n_customers=2, n_products=2)
    >>> [part.tolist() for part in frequent_pairs(visits(shop, 0, 9), 2)]
    [[0], [1], [2.0]]
    """
    parts = list(_blocks(found, min_support))
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    a, b, both = (np.concatenate(column) for column in zip(*parts, strict=True))
    return a, b, both


def _blocks(found: Visits, min_support: int) -> Iterator[tuple[Ints, Ints, Floats]]:
    for start in range(0, found.matrix.shape[1], BLOCK):
        block = (found.by_product[start : start + BLOCK] @ found.matrix).tocoo()
        row, column = block.row.astype(np.int64) + start, block.col.astype(np.int64)
        keep = (column > row) & (block.data >= min_support)
        order = np.lexsort((column[keep], row[keep]))
        yield row[keep][order], column[keep][order], block.data[keep][order].astype(np.float64)


def shared(by_product: sparse.csr_matrix, a: Ints, b: Ints) -> Floats:
    """How many columns (visits or shoppers) hold both products of each pair, (m,)."""
    parts = [
        np.asarray(by_product[a[i : i + CHUNK]].multiply(by_product[b[i : i + CHUNK]]).sum(axis=1)).ravel()
        for i in range(0, len(a), CHUNK)
    ]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def shoppers_together(found: Visits, a: Ints, b: Ints) -> Floats:
    """How many different shoppers had both products of each pair in one visit, (m,)."""
    parts = []
    for i in range(0, len(a), CHUNK):
        both = found.by_product[a[i : i + CHUNK]].multiply(found.by_product[b[i : i + CHUNK]])
        both = both.tocsr().sorted_indices().tocoo()
        # Visits are in order of their customers, so those of one customer stand side by side in a row.
        row, who = both.row, found.customers[both.col]
        first = np.ones(len(row), bool)
        first[1:] = (np.diff(row) != 0) | (np.diff(who) != 0)
        parts.append(np.bincount(row[first], minlength=both.shape[0]))
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def expected(found: Visits, a: Ints, b: Ints) -> Floats:
    """Visits with both products of each pair if products fell into visits by chance, (m,).

    Σ over periods t of n_at n_bt Σ s (s − 1) / (Σ s)², with s the sizes of the visits of t: two products meet
    more easily where some visits are large, and only while both are sold. (For n_a n_b / N all visits would have
    to be of one size and all products in season together, and nearly everything that resellers buy, or that
    is sold for one summer, would seem to belong together.)

    >>> shop = Interactions.build([0, 0, 1, 1], [0, 1, 0, 1], n_customers=2, n_products=2)
    >>> expected(visits(shop, 0, 9), np.array([0]), np.array([1])).tolist()
    [1.0]
    """
    if not len(found):
        return np.zeros(len(a))
    sizes = np.diff(found.matrix.indptr).astype(np.float64)
    n = int(found.periods.max()) + 1
    lines = np.bincount(found.periods, sizes, n)
    meet = np.bincount(found.periods, sizes * (sizes - 1), n) / np.maximum(lines, 1.0) ** 2
    period = sparse.csr_matrix((np.ones(len(found)), (np.arange(len(found)), found.periods)), (len(found), n))
    counts = np.asarray((found.by_product @ period).todense(), np.float64)
    weighted = counts * meet
    parts = [
        np.einsum("ij,ij->i", weighted[a[i : i + CHUNK]], counts[b[i : i + CHUNK]])
        for i in range(0, len(a), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def shrunk_lift(both: Floats, chance: Floats, shrinkage: float) -> Floats:
    """(both + s) / (chance + s).

    >>> shrunk_lift(np.array([5.0]), np.array([1.0]), 5.0).round(3).tolist()
    [1.667]
    """
    return (both + shrinkage) / (chance + shrinkage)


def deviance(both: Floats, chance: Floats) -> Floats:
    """2 (n ln(n / e) − (n − e)): the log-likelihood ratio of a Poisson count n against its expectation e, as
    Dunning (1993) has it for binomial ones; 0 where n is not above e."""
    above = (both > chance) & (chance > 0)
    ratio = np.divide(both, chance, out=np.ones_like(both), where=above)
    return np.where(above, np.maximum(2 * (both * np.log(ratio) - (both - chance)), 0.0), 0.0)


def significant(found: Floats, tests: int, false_discovery: float) -> npt.NDArray[np.bool_]:
    """Benjamini and Hochberg (1995) on one-sided p-values, among ``tests`` hypotheses: the ones that are not
    in ``found`` (deviances) count as not significant.

    >>> significant(np.array([50.0, 0.1]), 100, 0.01).tolist()
    [True, False]
    """
    p = 0.5 * special.erfc(np.sqrt(found / 2))
    order = np.argsort(p, kind="stable")
    passed = p[order] <= false_discovery * np.arange(1, len(p) + 1) / max(tests, len(p), 1)
    kept = np.zeros(len(p), bool)
    if passed.any():
        kept[order[: int(np.flatnonzero(passed)[-1]) + 1]] = True
    return kept


def best_of_either(a: Ints, b: Ints, score: Floats, k: int) -> npt.NDArray[np.bool_]:
    """True for pairs that are among the k best of one of their two products (ties: the smaller partner)."""
    pair = np.tile(np.arange(len(a)), 2)
    who, partner, value = np.concatenate([a, b]), np.concatenate([b, a]), np.tile(score, 2)
    order = np.lexsort((partner, -value, who))
    place = np.arange(len(order)) - np.searchsorted(who[order], who[order])
    kept = np.zeros(len(a), bool)
    kept[pair[order[place < k]]] = True
    return kept
