"""What a shopper has been shown often enough lately gives its place to something else."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker


class FrequencyCapConfig(Config):
    """A product shown ``most`` times within ``days`` goes to the end (``hide``: is left out)."""

    name: str = "frequency_cap"
    most: int = Field(default=5, ge=1)
    days: float = Field(default=7.0, gt=0)
    hide: bool = False


class FrequencyCap(Reranker[FrequencyCapConfig]):
    """Counts come with the request: the shopper's own impressions, or the lists that were served to them."""

    Config = FrequencyCapConfig

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        often = [
            place
            for place, product in enumerate(items.products.tolist())
            if request.shown.get(product, 0) >= self.config.most
        ]
        rest = np.setdiff1d(np.arange(len(items)), often)
        if self.config.hide:
            return Order(rest[:n])
        return Order(np.concatenate([rest, np.array(often, np.int64)])[:n], frozenset(often))
