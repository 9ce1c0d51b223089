"""Item neighbourhood: products that the same customers chose, in their order where it is known."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.progress import Progress, Silent, step
from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.co_counts import CoCounts
from storewise.recommend.retrieve.item_item import ItemItem, ItemItemConfig, keep_largest


class ItemKnnConfig(ItemItemConfig):
    """W[i, j] = C[i, j] / ((n_i + shrinkage) ** source_power * (n_j + shrinkage) ** target_power).

    C are the co-occurrence counts of :class:`CoCounts` (``activity``, ``gap``, ``backward``, ``window``), n_i
    the number of customers of product i. Known models are points of this family: cosine is (source .5,
    target .5, shrinkage 0, activity 0); conditional probability (1, 0); the random walk RP3beta
    (activity 1, source 1, target beta); sequence KNN has gap > 0, backward < 1 and decay > 0.
    ``weighting="bm25"`` replaces the powers by BM25's saturation (``k1``, ``b``).
    """

    weighting: Literal["power", "bm25"] = "power"
    activity: float = Field(default=0.4, ge=0.0, le=2.0)
    source_power: float = Field(default=0.6, ge=0.0, le=1.5)
    target_power: float = Field(default=0.4, ge=0.0, le=1.5)
    shrinkage: float = Field(default=10.0, ge=0.0)
    gap: float = Field(default=0.0, ge=0.0, le=4.0)
    backward: float = Field(default=1.0, ge=0.0, le=4.0)
    window: int = Field(default=100, ge=1)
    k1: float = Field(default=1.2, gt=0.0)
    b: float = Field(default=0.75, ge=0.0, le=1.0)
    neighbours: int = Field(default=500, ge=1)


class ItemKnn(ItemItem[ItemKnnConfig]):
    """Item-based k-nearest neighbours with popularity powers, customer activity and order.

    Sarwar et al. 2001 (item-based collaborative filtering); Aiolli 2013 (asymmetric cosine); Paudel et al.
    2017 (RP3beta); Ludewig & Jannach 2018 (sequence neighbours with decay); BM25 weighting after Robertson.

    >>> shop = Dataset.of([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_customers=3, n_products=3)
    >>> model = ItemKnn(ItemKnnConfig(activity=0, source_power=0.5, target_power=0.5, shrinkage=0))
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> model.scores(shop.histories([0]))[0].round(3).tolist()  # the cosine of 0 and 1 is 1
    [1.0, 1.0, -inf]
    """

    Config = ItemKnnConfig

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        with step(progress or Silent(), "item neighbourhood"):
            self.fit(CoCounts(dataset.interactions.latest(self.config.window_days)))

    def fit(self, counts: CoCounts, *, prune: bool = True) -> None:
        """Train from counts that may be shared by many configs. ``prune=False`` keeps every neighbour, which
        is quicker to make and slower to ask: for trials."""
        c = self.config
        pairs = counts.of(activity=c.activity, gap=c.gap, backward=c.backward, window=c.window)
        source, target = self._scales(counts)
        rows = np.repeat(source, np.diff(pairs.indptr))
        weights = sparse.csr_matrix(
            (pairs.data * rows * target[pairs.indices], pairs.indices, pairs.indptr), shape=pairs.shape
        )
        self.weights = keep_largest(weights, c.neighbours) if prune else weights

    def _scales(self, counts: CoCounts) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        c, n = self.config, counts.interactions.popularity.astype(np.float64)
        if c.weighting == "bm25":
            mean = max(float(n.mean()), 1e-9)
            scale = ((c.k1 + 1.0) / (c.k1 * (1.0 - c.b + c.b * n / mean) + 1.0)).astype(np.float32)
            return scale, scale
        base = np.maximum(n + c.shrinkage, 1e-9)
        return (base**-c.source_power).astype(np.float32), (base**-c.target_power).astype(np.float32)
