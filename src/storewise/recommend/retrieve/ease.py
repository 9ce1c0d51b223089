"""EASE: the linear item-item model with a closed form, exact while it fits and local above that."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from storewise.core.progress import Progress, Silent, step
from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.co_counts import CoCounts
from storewise.recommend.retrieve.item_item import ItemItem, ItemItemConfig, keep_largest

SAFE_BLAS = 8_000
"""Above this many rows OpenBLAS's threaded float32 Cholesky has been seen to crash; one thread is used."""
BLOCK = 1_024


class EaseConfig(ItemItemConfig):
    """``regularization`` is added to the diagonal of the Gram matrix, and ``dropout`` times that diagonal:
    with p / (1 - p) it is what training with a share p of the history dropped comes to (Steck 2020).
    ``activity``: a customer with m products weighs m ** -activity. ``together``, ``together_s`` and
    ``emphasis``: see :meth:`CoCounts.gram`. ``target_power``: column j is divided by n_j ** target_power, n_j
    being the customers of product j (0: EASE as published). Up to ``exact_limit`` products the inverse is
    exact; above, each product is regressed on its ``candidates`` most similar ones. ``neighbours`` weights of
    a row are kept, those of the greatest size."""

    regularization: float = Field(default=200.0, gt=0.0)
    dropout: float = Field(default=0.0, ge=0.0, le=10.0)
    together: float = Field(default=0.0, ge=0.0, le=1.0)
    together_s: float = Field(default=600.0, gt=0.0)
    activity: float = Field(default=0.0, ge=0.0, le=2.0)
    target_power: float = Field(default=0.0, ge=0.0, le=1.5)
    exact_limit: int = Field(default=16_000, ge=0)
    candidates: int = Field(default=200, ge=1)
    neighbours: int = Field(default=1_000, ge=1)


class Ease(ItemItem[EaseConfig]):
    """Embarrassingly shallow autoencoder (Steck 2019).

    W minimises ||X - X W||² + regularization ||W||² with a zero diagonal; with P = (XᵀX + λI)⁻¹ it is
    W[i, j] = -P[i, j] / P[j, j]. Above ``exact_limit`` products column j solves the same ridge regression
    over its most similar products only, as in Steck's sparse Markov random field (2019b): memory falls from
    n² to n × candidates, and when all products are candidates both are equal.

    >>> shop = Dataset.of([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_customers=3, n_products=3)
    >>> model = Ease(EaseConfig(regularization=1.0))
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> f"{model.weights[0, 1]:.4f}"  # 2 customers have both, so 2 / (2 + 1)
    '0.6667'
    """

    Config = EaseConfig

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        self.fit(CoCounts(dataset.interactions.latest(self.config.window_days)), progress=progress)

    def fit(self, counts: CoCounts, *, progress: Progress | None = None) -> None:
        """Train from counts that may be shared by many configs."""
        c = self.config
        gram, mass = counts.gram(
            activity=c.activity, together=c.together, together_s=c.together_s, emphasis=c.emphasis
        )
        diagonal = mass * np.float32(1.0 + c.dropout) + np.float32(c.regularization)
        if counts.interactions.n_products <= c.exact_limit:
            with step(progress or Silent(), "EASE"):
                weights = _exact(gram, diagonal, c.neighbours)
        else:
            plain = not c.together and not c.emphasis
            factor = counts.factor(c.activity) if plain else None
            weights = _local(gram, diagonal, c.candidates, progress or Silent(), factor)
        n = np.maximum(counts.interactions.popularity, 1).astype(np.float64)
        weights.data *= (n**-c.target_power).astype(np.float32)[weights.indices]
        self.weights = keep_largest(weights, c.neighbours, signed=False)


def _exact(gram: sparse.csr_matrix, diagonal: npt.NDArray[np.float32], neighbours: int) -> sparse.csr_matrix:
    """All columns from one inverse. Memory: one dense n² float32, which the factor and inverse overwrite."""
    n = gram.shape[0]
    dense = gram.toarray().T  # symmetric; transposed it lies in LAPACK's order
    np.fill_diagonal(dense, diagonal)
    with threadpool_limits(limits=1 if n > SAFE_BLAS else None, user_api="blas"):
        factor, _ = linalg.lapack.spotrf(dense, lower=1, overwrite_a=1)
        lower, _ = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    scale = -1.0 / np.diag(lower)
    parts = []
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        # Row i of the symmetric inverse: left of the diagonal its row in the lower triangle, then its column.
        block = np.tril(lower[start:stop], start) + np.triu(lower[:, start:stop].T, start + 1)
        block *= scale
        block[np.arange(stop - start), np.arange(start, stop)] = 0.0
        parts.append(_largest(block, neighbours))
    return sparse.csr_matrix(sparse.vstack(parts, format="csr"))


def _largest(block: npt.NDArray[np.float32], per_row: int) -> sparse.csr_matrix:
    """The ``per_row`` entries of greatest size of each row of a dense block; zeros are not kept."""
    b, n = block.shape
    if per_row >= n:
        return sparse.csr_matrix(block)
    columns = np.argpartition(np.abs(block), n - per_row, axis=1)[:, n - per_row :].astype(np.int32)
    columns.sort(axis=1)
    values = np.take_along_axis(block, columns, axis=1)
    indptr = np.arange(0, (b + 1) * per_row, per_row)
    found = sparse.csr_matrix((values.ravel(), columns.ravel(), indptr), shape=(b, n))
    found.eliminate_zeros()
    return found


def _local(
    gram: sparse.csr_matrix,
    diagonal: npt.NDArray[np.float32],
    candidates: int,
    progress: Progress,
    factor: sparse.csr_matrix | None = None,
) -> sparse.csr_matrix:
    """Each column by ridge regression on its most similar products. Memory: n × candidates. ``factor``: F with
    F Fᵀ = the Gram matrix, where there is one: much shorter to read where products have few customers."""
    n = gram.shape[0]
    scale = (1.0 / np.sqrt(np.maximum(diagonal, 1e-9))).astype(np.float32)
    cosine = sparse.csr_matrix(
        (gram.data * np.repeat(scale, np.diff(gram.indptr)) * scale[gram.indices], gram.indices, gram.indptr),
        shape=gram.shape,
    )
    chosen = keep_largest(cosine, candidates)
    place = np.full(n, -1, np.int64)
    values = np.empty(chosen.nnz, np.float32)
    for product in progress.track(range(n), label="EASE, product by product"):
        start, stop = chosen.indptr[product], chosen.indptr[product + 1]
        near = chosen.indices[start:stop]
        place[near] = np.arange(len(near))
        if factor is None:
            system, wanted = _system(gram, diagonal, near, place, product)
        else:
            system, wanted = _system_of(factor, diagonal, near, product)
        place[near] = -1
        values[start:stop] = linalg.solve(system, wanted, assume_a="pos", check_finite=False)
    # ``chosen`` holds the candidates of product j in row j: the weights of column j of W.
    found = sparse.csr_matrix((values, chosen.indices, chosen.indptr), shape=gram.shape).T.tocsr()
    return sparse.csr_matrix(found)


def _system(
    gram: sparse.csr_matrix,
    diagonal: npt.NDArray[np.float32],
    near: npt.NDArray[np.int32],
    place: npt.NDArray[np.int64],
    product: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The Gram matrix among ``near`` (m, m) and its column for ``product`` (m,)."""
    counts = gram.indptr[near + 1] - gram.indptr[near]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    flat = np.repeat(gram.indptr[near] - (ends - counts), counts) + np.arange(total)
    columns = gram.indices[flat]
    rows = np.repeat(np.arange(len(near)), counts)
    inside = place[columns] >= 0
    system = np.zeros((len(near), len(near)), np.float32)
    system[rows[inside], place[columns[inside]]] = gram.data[flat[inside]]
    system[np.arange(len(near)), np.arange(len(near))] = diagonal[near]
    wanted = np.zeros(len(near), np.float32)
    target = columns == product
    wanted[rows[target]] = gram.data[flat[target]]
    return system, wanted


def _system_of(
    factor: sparse.csr_matrix, diagonal: npt.NDArray[np.float32], near: npt.NDArray[np.int32], product: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The same from F (n, customers), the product of whose rows are the entries."""
    chosen = np.append(near, product)
    counts = factor.indptr[chosen + 1] - factor.indptr[chosen]
    ends = np.cumsum(counts)
    flat = np.repeat(factor.indptr[chosen] - (ends - counts), counts) + np.arange(ends[-1])
    customers, columns = np.unique(factor.indices[flat], return_inverse=True)
    rows = sparse.csr_matrix(
        (factor.data[flat], columns, np.append(0, ends)), shape=(len(chosen), len(customers))
    )
    found = (rows @ rows.T).toarray()
    index = np.arange(len(near))
    system = found[:-1, :-1]
    system[index, index] = diagonal[near]
    return system, found[:-1, -1]
