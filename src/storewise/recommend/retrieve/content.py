"""What is like the shopper's history in content: the retriever that knows products nobody has bought yet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.data.interactions import DAY_S, Histories
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever, top_n
from storewise.understand.base import unit

BLOCK = 4_096  # candidates whose similarities to the histories are in memory at a time


class ContentConfig(Config):
    """``temperature`` t of the soft maximum over the history, None for the mean. ``decay``: weight
    e^(−decay · steps back) of a history entry, with ``half_life_days`` also 2^(−days / half life). ``rarity``: an
    entry's weight is divided by (customers of the product)^rarity, so that what everybody buys says less of a
    shopper."""

    temperature: float | None = Field(default=0.1, gt=0)
    decay: float = Field(default=0.02, ge=0)
    half_life_days: float | None = Field(default=None, gt=0)
    rarity: float = Field(default=0.25, ge=0, le=1)


class Content(Retriever[ContentConfig]):
    """With the products' content vectors v and weights w of the history that sum to 1

        score(j) = 1 + t ln Σ_{i∈h} w(i) exp((v_i · v_j − 1) / t),

    which is the cosine itself for a history of one product, nearly the maximum for a small t, and without t the
    cosine of v_j with the mean Σ w(i) v_i. A long history of many tastes has no mean that says anything.

    Needs ``dataset.content``; without it, for a history that has no content, and for products that have none, it
    cannot say anything. It is trained on nothing but the number of each product's customers.
    """

    Config = ContentConfig

    def __init__(self, config: ContentConfig | None = None) -> None:
        super().__init__(config)
        self._vectors: npt.NDArray[np.float32] | None = None
        self._worth: npt.NDArray[np.float32] | None = None
        self._told = np.zeros(0, np.bool_)  # (n_products,): whether anything is known of a product's content

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        content = dataset.content
        self._take(np.zeros((dataset.n_products, 1), np.float32) if content is None else content)
        customers = dataset.interactions.popularity
        self._worth = (np.maximum(customers, 1) ** -self.config.rarity).astype(np.float32)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        return self._scores(histories, np.arange(len(self._ready())))

    def __call__(self, request: Request, n: int) -> ItemList:
        """Only products that may be shown are looked at."""
        columns = np.arange(len(self._ready()))
        if request.eligible is not None:
            columns = np.flatnonzero(request.eligible)
        found = top_n(self._scores(request.history, columns)[0], n)
        products = columns[found.products].astype(np.int32)
        return ItemList(products, found.scores, tuple(self.reasons(request, products)))

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """The entry of the history that adds most to the product's score."""
        vectors, history = self._ready(), request.history
        if not len(history.products):
            return [Reason("similar_content") for _ in products]
        cosine = vectors[products] @ vectors[history.products].T
        t = self.config.temperature
        share = (cosine if t is None else np.exp((cosine - 1) / t)) * self._weights(history)
        best, known = (
            history.products[share.argmax(axis=1)],
            cosine[np.arange(len(products)), share.argmax(axis=1)],
        )
        return [
            Reason("similar_content", product=int(product) if near > 0 else None)
            for product, near in zip(best, known, strict=True)
        ]

    def state(self) -> Arrays:
        vectors = self._ready()
        assert self._worth is not None
        return {"vectors": vectors, "worth": self._worth}

    def restore(self, state: Arrays) -> None:
        self._take(np.asarray(state["vectors"]))
        self._worth = np.asarray(state["worth"])

    def _take(self, vectors: npt.NDArray[np.float32]) -> None:
        self._vectors, self._told = vectors, vectors.any(axis=1)

    def _scores(self, histories: Histories, columns: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """(b, len(columns))."""
        vectors, t = self._ready(), self.config.temperature
        told = self._told
        counts = self._weights(histories) * told[histories.products]
        total = np.bincount(histories.rows, counts, minlength=len(histories)).astype(np.float64)
        scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
        weight = histories.matrix((counts * scale[histories.rows]).astype(np.float32))
        if t is None:
            found = unit(weight @ vectors) @ vectors[columns].T
        else:
            used = np.unique(weight.indices)
            narrow = weight[:, used]
            found = np.empty((len(histories), len(columns)), np.float32)
            for start in range(0, len(columns), BLOCK):
                near = np.exp((vectors[used] @ vectors[columns[start : start + BLOCK]].T - 1) / np.float32(t))
                summed = np.maximum(narrow @ near, np.float32(1e-37))
                found[:, start : start + BLOCK] = 1 + np.float32(t) * np.log(summed)
        found[total <= 0] = -np.inf
        found[:, ~told[columns]] = -np.inf
        scores: npt.NDArray[np.float32] = found.astype(np.float32, copy=False)
        return scores

    def _ready(self) -> npt.NDArray[np.float32]:
        self.require(self._vectors is not None)
        assert self._vectors is not None
        return self._vectors

    def _weights(self, histories: Histories) -> npt.NDArray[np.float32]:
        """(nnz,): how much each entry counts."""
        assert self._worth is not None
        steps = self.config.decay * histories.recency
        if self.config.half_life_days is not None:
            age = (histories.now[histories.rows] - histories.at) / DAY_S
            steps = steps + np.log(2) * np.maximum(age, 0) / self.config.half_life_days
        worth: npt.NDArray[np.float32] = (np.exp(-steps) * self._worth[histories.products]).astype(np.float32)
        return worth
