"""Maximal marginal relevance: each place goes to what is wanted and unlike what stands above."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker
from storewise.recommend.rerank.likeness import likeness, relevance


class MmrConfig(Config):
    """``diversity``: 0 leaves the list as it is, 1 looks at likeness alone."""

    name: str = "diversity"
    diversity: float = Field(default=0.3, ge=0, le=1)


class Mmr(Reranker[MmrConfig]):
    """Carbonell & Goldstein (1998). With relevance r in [0, 1], likeness s and S what stands above, the next is

        argmax_i (1 - λ) r_i - λ max_{j ∈ S} s_ij,

    λ the diversity; ties go to the earlier item.
    """

    Config = MmrConfig

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        weight = self.config.diversity
        alike, wanted = likeness(self.known(), items.products), relevance(items.scores)
        nearest = np.zeros(len(items))
        left = np.ones(len(items), bool)
        chosen: list[int] = []
        for _ in range(min(n, len(items))):
            worth = np.where(left, (1.0 - weight) * wanted - weight * nearest, -np.inf)
            best = int(np.argmax(worth))
            chosen.append(best)
            left[best] = False
            nearest = np.maximum(nearest, alike[best])
        return Order(np.array(chosen, np.int64), frozenset(chosen))
