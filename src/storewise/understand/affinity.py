"""How well a product's vector fits what a shopper bought before: products nobody has bought yet can be ranked by it.

With h over the products of a history and c a candidate, both unit vectors, optionally centred by the mean μ of the
products known so far (v ← (v − μ) / ‖v − μ‖), the score of c is one of::

    mean      Σ_h w_h (h · c) / Σ_h w_h         w_h = times bought
    distinct  the same, w_h = 1
    recent    the same, w_h = Σ 2^(−age / half-life) over its purchases
    rare      the same, w_h = 1 / √(customers of h)
    top       mean of the m largest h · c
    soft      log mean_h exp(h · c / t)          between the mean (large t) and the maximum (small t)
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.config import Config
from storewise.data.interactions import DAY_S, Histories
from storewise.understand.base import Vectors, unit

Pooling = Literal["mean", "distinct", "recent", "rare", "top", "soft"]


class AffinityConfig(Config):
    """``nearest``: m of ``top``; ``temperature``: t of ``soft``; ``half_life_days``: of ``recent``."""

    pooling: Pooling = "top"
    centred: bool = True
    nearest: int = Field(default=10, ge=1)
    temperature: float = Field(default=0.1, gt=0)
    half_life_days: float = Field(default=90.0, gt=0)


def choices() -> list[AffinityConfig]:
    """What validation chooses from, simple ones first."""
    found = []
    for centred in (False, True):
        found += [AffinityConfig(pooling=p, centred=centred) for p in ("mean", "distinct", "recent", "rare")]
        found += [AffinityConfig(pooling="top", nearest=m, centred=centred) for m in (3, 10, 30)]
        found += [AffinityConfig(pooling="soft", temperature=t, centred=centred) for t in (0.05, 0.1, 0.2)]
    return found


def centre(vectors: Vectors, known: npt.ArrayLike) -> Vectors:
    """Unit vectors around the mean of the rows ``known``; rows of nothing stay zero.

    Sentence encoders give vectors that all share a direction; without it the differences count
    (Mu & Viswanath 2018).

    >>> centre(np.array([[1, 0], [0, 1], [0, 0]], np.float32), [0, 1]).round(2).tolist()
    [[0.7099999785423279, -0.7099999785423279], [-0.7099999785423279, 0.7099999785423279], [0.0, 0.0]]
    """
    told = np.linalg.norm(vectors, axis=1) > 0
    rows = np.asarray(known)[told[np.asarray(known)]]
    if not len(rows):
        return vectors
    return unit(np.where(told[:, None], vectors - vectors[rows].mean(axis=0), 0.0))


def affinity(
    vectors: Vectors,
    histories: Histories,
    candidates: npt.ArrayLike,
    config: AffinityConfig,
    *,
    customers_of: npt.NDArray[np.integer] | None = None,
) -> npt.NDArray[np.float32]:
    """(b, len(candidates)) scores; a shopper without history gets zeros.

    ``vectors`` (n_products, d). ``customers_of`` (n_products,): how many customers each product had, which
    centring (products with any) and ``rare`` need; by default counted in the histories.
    """
    columns = np.asarray(candidates, np.int64)
    counts = _counts(histories) if customers_of is None else np.asarray(customers_of)
    if config.centred:
        vectors = centre(vectors, np.flatnonzero(counts > 0))
    if config.pooling in ("top", "soft"):
        similar = vectors @ vectors[columns].T  # (n_products, c)
        if config.pooling == "top":
            return _top(similar, histories, config.nearest)
        weight = _normalised(histories.matrix())
        found = weight @ np.exp((similar - 1.0) / config.temperature)
        told = (np.diff(histories.indptr) > 0)[:, None]
        return np.asarray(np.log(np.maximum(found, 1e-30)) * told, np.float32)
    weight = _normalised(_weights(histories, config, counts))
    profile: Vectors = np.asarray(weight @ vectors, np.float32)  # (b, d)
    return np.asarray(profile @ vectors[columns].T, np.float32)


def _counts(histories: Histories) -> npt.NDArray[np.int64]:
    return np.bincount(histories.matrix().indices, minlength=histories.n_products)


def _weights(
    histories: Histories, config: AffinityConfig, customers_of: npt.NDArray[np.integer]
) -> sparse.csr_matrix:
    """(b, n_products) of the poolings that are weighted means."""
    if config.pooling == "mean":
        return histories.matrix(np.ones(len(histories.products)))
    if config.pooling == "recent":
        age_days = (histories.now[histories.rows] - histories.at) / DAY_S
        return histories.matrix(0.5 ** (age_days / config.half_life_days))
    found = histories.matrix()
    if config.pooling == "rare":
        found = found @ sparse.diags(1.0 / np.sqrt(np.maximum(customers_of, 1)))
    return found.tocsr()


def _normalised(weight: sparse.csr_matrix) -> sparse.csr_matrix:
    total = np.asarray(weight.sum(axis=1)).ravel()
    return (sparse.diags(1.0 / np.where(total > 0, total, 1.0)) @ weight).astype(np.float32).tocsr()


def _top(similar: npt.NDArray[np.float32], histories: Histories, nearest: int) -> npt.NDArray[np.float32]:
    bought = histories.matrix()
    scores = np.zeros((len(histories), similar.shape[1]), np.float32)
    for row in range(len(histories)):
        mine = similar[bought.indices[bought.indptr[row] : bought.indptr[row + 1]]]
        if len(mine):
            m = min(nearest, len(mine))
            scores[row] = np.partition(mine, len(mine) - m, axis=0)[len(mine) - m :].mean(axis=0)
    return scores
