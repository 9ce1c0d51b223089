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
from storewise.recommend.request import Reason, Request
from storewise.recommend.retrieve.base import Retriever


class ContentConfig(Config):
    """``decay``: weight e^(−decay · steps back) of a history entry, with ``half_life_days`` also 2^(−days / half
    life). ``rarity``: an entry's weight is divided by (customers of the product)^rarity, so that what everybody
    buys says less of a shopper."""

    decay: float = Field(default=0.02, ge=0)
    half_life_days: float | None = Field(default=None, gt=0)
    rarity: float = Field(default=0.25, ge=0, le=1)


class Content(Retriever[ContentConfig]):
    """score(j) = cos(Σ_{i∈h} w(i) v_i, v_j) with the products' content vectors v.

    Needs ``dataset.content``; without it, for a history that has no content, and for products that have none, it
    cannot say anything. It is trained on nothing but the number of each product's customers.
    """

    Config = ContentConfig

    def __init__(self, config: ContentConfig | None = None) -> None:
        super().__init__(config)
        self._vectors: npt.NDArray[np.float32] | None = None
        self._worth: npt.NDArray[np.float32] | None = None

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        content = dataset.content
        self._vectors = np.zeros((dataset.n_products, 1), np.float32) if content is None else content
        customers = dataset.interactions.popularity
        self._worth = (np.maximum(customers, 1) ** -self.config.rarity).astype(np.float32)

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        vectors = self._ready()
        profile = histories.matrix(self._weights(histories)) @ vectors
        length = np.linalg.norm(profile, axis=1, keepdims=True)
        found = (profile / np.maximum(length, 1e-12)) @ vectors.T
        found[length[:, 0] <= 1e-12] = -np.inf
        found[:, ~self._known] = -np.inf
        scores: npt.NDArray[np.float32] = found.astype(np.float32, copy=False)
        return scores

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """The entry of the history that adds most to the product's score."""
        vectors, history = self._ready(), request.history
        if not len(history.products):
            return [Reason("similar_content") for _ in products]
        share = (vectors[products] @ vectors[history.products].T) * self._weights(history)
        best, value = history.products[share.argmax(axis=1)], share.max(axis=1)
        return [
            Reason("similar_content", product=int(product) if worth > 0 else None)
            for product, worth in zip(best, value, strict=True)
        ]

    def state(self) -> Arrays:
        vectors = self._ready()
        assert self._worth is not None
        return {"vectors": vectors, "worth": self._worth}

    def restore(self, state: Arrays) -> None:
        self._vectors, self._worth = np.asarray(state["vectors"]), np.asarray(state["worth"])

    @property
    def _known(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.abs(self._ready()).sum(axis=1) > 0)

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
