"""What earns too little is left out."""

from __future__ import annotations

import numpy as np

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker


class MarginFloorConfig(Config):
    """``least_minor``: of price less unit cost, in minor units; ``unknown``: what becomes of a product whose margin
    nobody knows."""

    name: str = "margin_floor"
    least_minor: float = 0.0
    unknown: bool = True


class MarginFloor(Reranker[MarginFloorConfig]):
    """The list may come out shorter than n."""

    Config = MarginFloorConfig

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        margin = self.known().margins_minor[items.products]
        kept = np.where(np.isnan(margin), self.config.unknown, margin >= self.config.least_minor)
        return Order(np.flatnonzero(kept)[:n])
