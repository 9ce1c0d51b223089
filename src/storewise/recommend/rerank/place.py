"""Boost, bury and pin: an owner's own word on products of an attribute, a category or an id."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker


class PlaceConfig(Config):
    """``action`` on products of the ``category`` or the ``attribute`` (``name:value``): ``boost`` and ``bury`` move
    them ``places`` up or down, ``pin`` puts the first of them at place ``at`` (1 is the first) and keeps it there,
    where one is in the list given."""

    name: str = "place"
    action: Literal["boost", "bury", "pin"]
    attribute: str | None = Field(default=None, pattern=r"^[^:]+:.+$")
    category: str | None = None
    places: int = Field(default=5, ge=1)
    at: int = Field(default=1, ge=1, le=100)

    @model_validator(mode="after")
    def _one_of(self) -> PlaceConfig:
        if (self.attribute is None) == (self.category is None):
            raise ValueError("give either attribute = 'name:value' or category = '...'")
        return self


class Place(Reranker[PlaceConfig]):
    """Moved items stop beside others that moved as far; equal places keep their order."""

    Config = PlaceConfig

    def __init__(self, config: PlaceConfig | None = None) -> None:
        super().__init__(config if config is not None else PlaceConfig(action="boost", category=""))

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        mine = np.flatnonzero(self._matches()[items.products])
        if self.config.action == "pin":
            return self._pinned(mine, len(items), n)
        place = np.arange(len(items), dtype=np.float64)
        far = self.config.places + 0.5
        place[mine] += far if self.config.action == "bury" else -far
        return Order(np.argsort(place, kind="stable")[:n], frozenset(mine.tolist()))

    def _pinned(self, mine: npt.NDArray[np.int64], m: int, n: int) -> Order:
        places = list(range(m))
        if len(mine):
            first = int(mine[0])
            places.remove(first)
            places.insert(min(self.config.at, n, m) - 1, first)
            return Order(np.array(places[:n], np.int64), frozenset([first]))
        return Order(np.array(places[:n], np.int64))

    def _matches(self) -> npt.NDArray[np.bool_]:
        shelf = self.known()
        found = np.zeros(len(shelf.category_codes), bool)
        if self.config.category is not None:
            names = shelf.category_names
            if self.config.category in names:
                found = shelf.category_codes == names.index(self.config.category)
        elif self.config.attribute is not None:
            name, _, value = self.config.attribute.partition(":")
            rows = shelf.attribute_index.get((name.strip().lower(), value.strip().lower()))
            if rows is not None:
                found[rows] = True
        return found
