"""What a recommender is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Histories

ReasonKind = Literal[
    "bought_with",  # product: the item of the shopper's history that contributed most
    "repeat",  # value: days between this shopper's own purchases of it
    "popular",  # value: different customers in the model's window
    "popular_in",  # text: the category
    "similar_customers",  # value: how many similar customers bought it
    "similar_content",  # product: the item of the shopper's history that is most like it
    "taste",  # a factor model; product: the history item nearest to it, when there is one
    "fallback",  # the ladder stepped down to this
    "trending",  # a ranker: sold more lately than before
    "season",  # a ranker: sold more in the weeks after this time last year
    "price",  # a ranker: its price is at the shopper's level
    "like_basket",  # a ranker: its content is like the shopper's products
    "habit",  # a ranker; value: the part of the shopper's purchases of its text ("category", "brand")
]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is in the list, true of the model that put it there.

    >>> Reason("repeat", value=34.0).kind
    'repeat'
    """

    kind: ReasonKind
    product: int | None = None
    value: float | None = None
    text: str | None = None


@dataclass(frozen=True)
class Request:
    """One shopper's request. ``history`` is a batch of one. ``eligible`` (n_products,) bool: False items are
    never returned (None: all are). ``context``: product indices the shopper is looking at. ``shown``: how often each
    product was shown to them lately."""

    history: Histories
    eligible: npt.NDArray[np.bool_] | None = None
    context: tuple[int, ...] = ()
    slot: str = "home"
    shown: Mapping[int, int] = field(default_factory=dict)

    @property
    def customer(self) -> int:
        """Index known to training, or -1."""
        return int(self.history.customers[0])

    @property
    def now(self) -> float:
        return float(self.history.now[0])


@dataclass(frozen=True)
class ItemList:
    """Items, best first: ``products`` (m,) int32, ``scores`` (m,) float32 falling, ``reasons`` (m,)."""

    products: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    reasons: tuple[Reason, ...] = ()

    @classmethod
    def empty(cls) -> ItemList:
        return cls(np.empty(0, np.int32), np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.products)
