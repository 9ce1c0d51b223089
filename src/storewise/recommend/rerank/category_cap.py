"""At most so many of one category."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker


class CategoryCapConfig(Config):
    """``most`` items of a category, or of a category of ``categories`` alone where some are named. A product
    without a category is not counted."""

    name: str = "category_cap"
    most: int = Field(default=4, ge=0)
    categories: tuple[str, ...] = ()


class CategoryCap(Reranker[CategoryCapConfig]):
    """What would be one too many is left out; the list may come out shorter than n."""

    Config = CategoryCapConfig

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        shelf = self.known()
        codes = shelf.category_codes[items.products]
        named = {code for code, name in enumerate(shelf.category_names) if name in self.config.categories}
        counts: dict[int, int] = {}
        kept = []
        for place, code in enumerate(codes.tolist()):
            counted = code >= 0 and (not self.config.categories or code in named)
            if counted and counts.get(code, 0) >= self.config.most:
                continue
            counts[code] = counts.get(code, 0) + counted
            kept.append(place)
        return Order(np.array(kept[:n], np.int64))
