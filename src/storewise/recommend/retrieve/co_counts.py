"""Weighted co-occurrence of products in customers' histories, the raw material of neighbourhood models."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.data.interactions import Interactions
from storewise.recommend.retrieve.emphasis import emphasised

OFFSETS = 4
"""Session grids, each moved by a quarter, whose mean stands for a kernel that falls with the time apart."""
CHUNK = 4_000_000
"""Pairs summed at a time: bounds memory to a few hundred MB."""


class CoCounts:
    """Co-occurrence counts of one set of interactions, remembered while hyper-parameters are tried.

    ``of(activity, gap, backward, window)`` gives C (n_products, n_products) float32 CSR without diagonal:

        C[i, j] = sum over customers u, and entries of i and j in u's history, of
                  |history of u| ** -activity * g,
        g = steps(i → j) ** -gap when j came later, backward * that when j came earlier, 1 within one step.

    A step is a change of time, so unordered sets make a plain (symmetric) Gram matrix. In ordered data only
    entries at most ``window`` places apart count. Gap 0 with backward 1 says that order does not matter, and
    makes the Gram matrix too, in which a product counts once however often it was bought.

    >>> shop = Interactions.build([0, 0, 0], [0, 1, 2], at=[0, 1, 2], n_customers=1, n_products=3)
    >>> CoCounts(shop).of(gap=1.0, backward=0.5).toarray().tolist()
    [[0.0, 1.0, 0.5], [0.5, 0.0, 1.0], [0.25, 0.5, 0.0]]
    """

    def __init__(self, interactions: Interactions, *, remember: int = 4) -> None:
        self.interactions = interactions
        self._remember = remember
        self._known: dict[tuple[float, ...], sparse.csr_matrix] = {}
        self._gram_known: tuple[tuple[float, ...], sparse.csr_matrix, npt.NDArray[np.float32]] | None = None

    def of(
        self, *, activity: float = 0.0, gap: float = 0.0, backward: float = 1.0, window: int = 100
    ) -> sparse.csr_matrix:
        """The counts; treat the answer as read-only, it is shared between callers."""
        plain = not self.interactions.ordered or (gap == 0.0 and backward == 1.0)
        key = (activity,) if plain else (activity, gap, backward, window)
        if key not in self._known:
            while len(self._known) >= self._remember:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self._gram(activity) if plain else self._pairs(*key)
        return self._known[key]

    def gram(
        self,
        *,
        activity: float = 0.0,
        together: float = 0.0,
        together_s: float = 600.0,
        emphasis: float = 0.0,
    ) -> tuple[sparse.csr_matrix, npt.NDArray[np.float32]]:
        """The Gram matrix without its diagonal, and its diagonal (n_products,); to be read only.

        A pair of products in one history counts 1 - together + together · k, where k falls from 1 for the
        same moment to 0 at ``together_s`` seconds apart: what was chosen in one go says more than what merely
        has the same customer. ``emphasis``: see :func:`emphasised`. The matrix stays positive semidefinite.
        """
        if not together and not emphasis:
            return self.of(activity=activity), self.mass(activity)
        key = (activity, together, together_s if together else 0.0, emphasis)
        if self._gram_known is None or self._gram_known[0] != key:
            data, n = self.interactions, self.interactions.n_products
            value = emphasised(data.weight, data.customers, emphasis)
            total = (1.0 - together) * self._product(data.customers, value, activity)
            for offset in range(OFFSETS) if together else ():
                session = _sessions(data, together_s, offset / OFFSETS)
                total = total + together / OFFSETS * self._product(session, value, activity)
            diagonal = np.zeros(n, np.float32) + total.diagonal().astype(np.float32)
            self._gram_known = (key, _without_diagonal(total), diagonal)
        return self._gram_known[1:]

    def _product(
        self, rows: npt.NDArray[np.integer], value: npt.NDArray[np.float32], activity: float
    ) -> sparse.csr_matrix:
        """XᵀSX, X having one row for each group of entries (a product counts once in it, with its mean
        value) and S the share of the group's customer. ``rows`` rise and don't mix customers."""
        data = self.interactions
        shape = (int(rows[-1]) + 1 if len(rows) else 0, data.n_products)
        x = sparse.csr_matrix((value, (rows, data.products)), shape=shape)
        times = sparse.csr_matrix((np.ones_like(value), (rows, data.products)), shape=shape)
        x.sum_duplicates()
        times.sum_duplicates()
        x.data /= times.data
        owner = np.zeros(shape[0], np.int64)
        owner[rows] = data.customers
        return sparse.csr_matrix(x.T.tocsr() @ sparse.diags_array(self._share(activity)[owner]).dot(x))

    def mass(self, activity: float = 0.0) -> npt.NDArray[np.float32]:
        """(n_products,): the Gram matrix's diagonal, the weight of each product's customers."""
        x = self.interactions.matrix
        share = np.repeat(self._share(activity), np.diff(x.indptr))
        return np.bincount(x.indices, share, minlength=x.shape[1]).astype(np.float32)

    def factor(self, activity: float = 0.0) -> sparse.csr_matrix:
        """F (n_products, n_customers) with F Fᵀ = the Gram matrix, its diagonal included; rows' columns rise."""
        x = self.interactions.matrix
        found = sparse.csr_matrix(x.T.tocsr())
        found.data *= np.sqrt(self._share(activity))[found.indices]
        return found

    def _gram(self, activity: float) -> sparse.csr_matrix:
        x = self.interactions.matrix
        return _without_diagonal(x.T.tocsr() @ sparse.diags_array(self._share(activity)).dot(x))

    def _share(self, activity: float) -> npt.NDArray[np.float32]:
        lengths = np.maximum(np.diff(self.interactions.matrix.indptr), 1)
        share: npt.NDArray[np.float32] = (lengths.astype(np.float64) ** -activity).astype(np.float32)
        return share

    def _pairs(self, activity: float, gap: float, backward: float, window: float) -> sparse.csr_matrix:
        data, n = self.interactions, self.interactions.n_products
        share = self._share(activity)[data.customers]
        step = np.cumsum(np.r_[0, (np.diff(data.at) != 0) | (np.diff(data.customers) != 0)])
        longest = int(np.diff(data.indptr).max(initial=0))
        total = sparse.csr_matrix((n, n), dtype=np.float32)
        rows: list[npt.NDArray[np.int32]] = []
        columns: list[npt.NDArray[np.int32]] = []
        values: list[npt.NDArray[np.float32]] = []
        for distance in range(1, min(int(window), longest - 1) + 1):
            first = np.flatnonzero(data.customers[distance:] == data.customers[:-distance])
            second = first + distance
            steps = step[second] - step[first]
            forth = np.maximum(steps, 1).astype(np.float64) ** -gap * share[first]
            back = forth * np.where(steps > 0, backward, 1.0)
            rows += [data.products[first], data.products[second]]
            columns += [data.products[second], data.products[first]]
            values += [forth.astype(np.float32), back.astype(np.float32)]
            if sum(map(len, rows)) > CHUNK:
                total = total + _sum(rows, columns, values, n)
                rows, columns, values = [], [], []
        return _without_diagonal(total + _sum(rows, columns, values, n))


def _sessions(data: Interactions, length_s: float, offset: float) -> npt.NDArray[np.int64]:
    """(nnz,): a number for each customer's stay in one cell of a grid over time, rising."""
    cell = np.floor(data.at / length_s + offset)
    change = (np.diff(data.customers) != 0) | (np.diff(cell) != 0)
    found: npt.NDArray[np.int64] = np.cumsum(np.r_[0, change])[: len(cell)].astype(np.int64)
    return found


def _sum(
    rows: list[npt.NDArray[np.int32]],
    columns: list[npt.NDArray[np.int32]],
    values: list[npt.NDArray[np.float32]],
    n: int,
) -> sparse.csr_matrix:
    if not rows:
        return sparse.csr_matrix((n, n), dtype=np.float32)
    index = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(values), index), shape=(n, n))


def _without_diagonal(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Drop the diagonal and entries that came out as zero."""
    found = sparse.csr_matrix(counts, dtype=np.float32)
    rows = np.repeat(np.arange(found.shape[0], dtype=found.indices.dtype), np.diff(found.indptr))
    found.data[rows == found.indices] = 0.0
    found.eliminate_zeros()
    found.sort_indices()
    return found
