"""What factor models share: a vector for each product, and a shopper's vector made from the history alone."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.data.interactions import Histories
from storewise.recommend.request import Reason, Request
from storewise.recommend.retrieve.base import Retriever


class FactorConfig(Config):
    """``window_days``: only events of the last so many days are learned from (None: all)."""

    embedding_size: int = Field(default=64, ge=1, le=4_096)
    epochs: int = Field(default=15, ge=0)
    window_days: float | None = Field(default=None, gt=0.0)


ConfigT = TypeVar("ConfigT", bound=FactorConfig)


class Factors(Retriever[ConfigT]):
    """Score of product j = shopper's vector · product j's vector (+ its bias).

    ``shoppers`` makes the vectors (b, embedding_size) from histories, so that a live session and an unknown
    customer are scored like any other. An empty history gets the scores of the zero vector.
    """

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self.products: npt.NDArray[np.float32] | None = None  # (n_products, embedding_size)

    @abstractmethod
    def shoppers(self, histories: Histories) -> npt.NDArray[np.float32]:
        """(b, embedding_size) float32."""

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        return self.shoppers(histories) @ self.vectors().T

    def vectors(self) -> npt.NDArray[np.float32]:
        """(n_products, embedding_size) float32."""
        self.require(self.products is not None)
        assert self.products is not None
        return self.products

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """Each product's nearest (by cosine) in the shopper's history."""
        known = np.unique(request.history.products)
        if not len(known):
            return [Reason("taste") for _ in products]
        v = self.vectors()
        unit = v[known] / np.maximum(np.linalg.norm(v[known], axis=1, keepdims=True), 1e-12)
        nearest = known[np.argmax(v[products] @ unit.T, axis=1)] if len(products) else known[:0]
        return [Reason("taste", product=int(product)) for product in nearest]
