"""The ranker's contract, and what rankers learn from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.data.interactions import Histories
from storewise.recommend.rank.candidates import Candidates, Shortlist, of_items
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.request import ItemList, Reason, Request

ConfigT = TypeVar("ConfigT", bound=Config)
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """One past moment, replayed: the ``histories`` of b shoppers as they stood, the ``candidates`` that retrievers
    trained on data before it found for them, ``bought`` (m,) bool: which of those the shopper bought in the window
    after, and the products' ``facts`` as they were."""

    histories: Histories
    candidates: Candidates
    bought: npt.NDArray[np.bool_]
    facts: ProductFacts


class Ranker(Component[ConfigT]):
    """Orders candidates that retrievers found.

    ``scores`` is the definition: one value for each candidate, larger is better, NaN where the ranker cannot say.
    A score depends on the shopper, the candidate and the retrievers' scores of it, never on other shoppers.
    """

    @abstractmethod
    def train(
        self,
        moments: Sequence[Moment],
        *,
        facts: ProductFacts,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:
        """Learn from past ``moments``, oldest first. ``facts``: the products as they stand when it will be asked.

        Raises:
            DataError: when no candidate was bought, or all were.
        """

    @abstractmethod
    def scores(self, histories: Histories, candidates: Candidates) -> Scores:
        """(m,) float64 of all candidates."""

    @abstractmethod
    def chances(self, scores: Scores) -> Scores:
        """(m,) float64: the calibrated chance of a purchase in the window for each score; NaN for NaN."""

    def __call__(self, request: Request, items: ItemList) -> ItemList:
        """The same items, best first; those it cannot say anything of come last, in the order given."""
        candidates = items.candidates if isinstance(items, Shortlist) else of_items(items)
        scores = self.scores(request.history, candidates)
        return reordered(items, scores)

    def reasons(self, request: Request, items: ItemList) -> list[Reason | None]:
        """Why each item stands where it does; None where the retriever's own reason says it."""
        return [None] * len(items)


def best_first(scores: Scores) -> npt.NDArray[np.int64]:
    """(m,) places from the best to the worst; equal scores keep their order, NaN goes last."""
    return np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")


def reordered(items: ItemList, scores: Scores) -> ItemList:
    """The items with these scores, :func:`best_first`.

    >>> items = ItemList(np.array([4, 7, 9], np.int32), np.array([3, 2, 1], np.float32))
    >>> found = reordered(items, np.array([0.1, np.nan, 0.5]))
    >>> found.products.tolist(), found.scores.round(1).tolist()
    ([9, 4, 7], [0.5, 0.10000000149011612, nan])
    """
    order = best_first(scores)
    told = scores[order].astype(np.float32)
    if isinstance(items, Shortlist):
        return items.reordered(order, told)
    reasons = tuple(items.reasons[place] for place in order) if items.reasons else ()
    return ItemList(items.products[order], told, reasons)
