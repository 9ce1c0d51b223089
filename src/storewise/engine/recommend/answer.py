"""Who asks for what, and what the answer holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Histories, Ints
from storewise.engine.serving.rules import POOL, Bound
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Filters, Mask
from storewise.recommend.request import Reason
from storewise.recommend.rerank.base import Move
from storewise.understand.rules import Past

NO_FILTERS = Filters()
RERANK_POOL = 5  # lists of how many times the length rerankers choose from

Step = Literal["full", "no_rerank", "retrieved", "popular_in_category", "popular", "none"]
"""The rungs: everything that the pipeline names; without reranking; in the retrieved order; by popularity."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks for what. ``customer`` and ``session`` are pseudonyms, products are the shop's ids. ``country``: where
    the shopper is, None: as the shop knows it. ``budget_ms``:
    time that the answer may take, None: the pipeline's. ``explain``: keep the retrieved order beside the shown one."""

    customer: str | None = None
    session: str | None = None
    context: tuple[str, ...] = ()
    slot: str = "home"
    n: int | None = None
    filters: Filters = NO_FILTERS
    exclude: tuple[str, ...] = ()
    personal: bool = True
    country: str | None = None
    budget_ms: float | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One place of the list; ``source`` is the component or the rung that put it there. ``p_purchase``: calibrated
    chance of a purchase within the ranker's window, NaN unknown. ``moves``: the rules that moved it. ``propensity``:
    the exact chance that it stands here; below 1 where the place explores. ``features``: what the policy could see
    of it, empty where no policy chose."""

    product: int
    score: float
    source: str
    reason: Reason
    p_purchase: float = float("nan")
    moves: tuple[Move, ...] = ()
    propensity: float = 1.0
    features: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The list and how it came about; ``step`` is the rung of the first item. ``retrieved``: the list as it was
    before ranking, where that was asked for; ``shadow``: as a ranker that does not serve would have it. ``variant``:
    that of an experiment."""

    decision_id: str
    at: datetime
    snapshot: Snapshot
    ask: Ask
    step: Step
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    guard_rail: str | None = None
    rules: tuple[Bound, ...] = ()
    retrieved: tuple[Item, ...] = ()
    variant: str | None = None
    shadow: tuple[Item, ...] = ()


@dataclass
class Draft:
    """The list while it is being made."""

    eligible: Mask
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rules: tuple[Bound, ...] = ()
    shift: npt.NDArray[np.float64] | None = None
    step: Step = "full"
    retrieved: list[Item] = field(default_factory=list)
    shadow: list[Item] = field(default_factory=list)

    def pool(self, n: int, *, rerank: bool = False) -> int:
        """How many to retrieve for n places."""
        return n * max(1 if self.shift is None else POOL, RERANK_POOL if rerank else 1)

    def take(self, items: list[Item]) -> None:
        self.items.extend(items)
        self.eligible[[item.product for item in items]] = False


@dataclass(frozen=True, slots=True)
class Shopper:
    """``history``: all that is known up to now; ``fresh``: the live part alone, when there is more besides;
    ``past``: what rules ask about, in a shop that has some; ``bought``: products of
    purchases, trained and live; ``shown``: product → how often it was shown lately."""

    history: Histories
    fresh: Histories | None
    past: Past | None = None
    bought: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    shown: dict[int, int] = field(default_factory=dict)
