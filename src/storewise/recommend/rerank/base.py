"""The reranker's contract: a ranked list becomes the one that is shown, and every item says what moved it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request

ConfigT = TypeVar("ConfigT", bound=Config)
Places = npt.NDArray[np.int64]


class Shelf(Protocol):
    """What rules ask of a catalogue; arrays are (n_products,)."""

    @property
    def category_codes(self) -> npt.NDArray[np.int32]: ...
    @property
    def category_names(self) -> list[str]: ...
    @property
    def attribute_index(self) -> Mapping[tuple[str, str], npt.NDArray[np.int32]]: ...
    @property
    def margins_minor(self) -> npt.NDArray[np.float64]:
        """NaN where unknown."""
        ...

    @property
    def vectors(self) -> npt.NDArray[np.float32] | None:
        """(n_products, d) unit vectors of what products are; zero rows and None: unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """A rule that moved an item: from place ``before`` to place ``after`` (0 is the first). ``made_room``: the rule
    acted on other items, this one only gave way or moved up."""

    rule: str
    before: int
    after: int
    made_room: bool = False


@dataclass(frozen=True)
class Reranked(ItemList):
    """A list with what moved each item: ``moves`` (m,)."""

    moves: tuple[tuple[Move, ...], ...] = field(kw_only=True)


@dataclass(frozen=True)
class Order:
    """``places`` (k,): indices into the list that was given, in the new order, each at most once. ``acted``: of those,
    the ones that the rule itself acted on; the others made room."""

    places: Places
    acted: frozenset[int] = frozenset()


class Reranker(Component[ConfigT]):
    """Chooses and orders what is shown from a list that is longer than that.

    ``arrange`` is the definition. A reranker invents no product and shows none twice; a list of nothing stays one.
    It learns nothing: what it knows of products is the ``shelf`` it is given when a snapshot is loaded.
    """

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self.shelf: Shelf | None = None

    def stock(self, shelf: Shelf) -> None:
        """Take today's catalogue."""
        self.shelf = shelf

    @property
    def rule(self) -> str:
        """What reasons call it."""
        return str(getattr(self.config, "name", "") or type(self).__name__.lower())

    @abstractmethod
    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        """The first n (fewer when there are fewer)."""

    def __call__(self, request: Request, items: ItemList, n: int) -> Reranked:
        """The list of n, each item with the moves that brought it to its place."""
        order = self.arrange(request, items, n) if len(items) else Order(np.empty(0, np.int64))
        places = order.places[:n]
        before = items.moves if isinstance(items, Reranked) else ((),) * len(items)
        moves = []
        for after, place in enumerate(places.tolist()):
            moved: tuple[Move, ...] = ()
            if place != after:
                moved = (Move(self.rule, place, after, place not in order.acted),)
            moves.append((*before[place], *moved))
        reasons = tuple(items.reasons[place] for place in places) if items.reasons else ()
        return Reranked(items.products[places], items.scores[places], reasons, moves=tuple(moves))

    def known(self) -> Shelf:
        """The shelf.

        Raises:
            StateError: before ``stock``.
        """
        self.require(self.shelf is not None)
        assert self.shelf is not None
        return self.shelf


def chain(steps: Sequence[Reranker[Any]], request: Request, items: ItemList, n: int) -> Reranked:
    """One step after the other; all but the last keep the whole list, so that the next can still choose."""
    found: ItemList = items
    for place, step in enumerate(steps):
        found = step(request, found, n if place == len(steps) - 1 else len(found))
    if isinstance(found, Reranked):
        return found
    reasons = found.reasons[:n]
    moves: tuple[tuple[Move, ...], ...] = ((),) * min(n, len(found))
    return Reranked(found.products[:n], found.scores[:n], reasons, moves=moves)
