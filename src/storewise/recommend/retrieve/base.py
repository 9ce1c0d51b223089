"""The retriever's contract."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.metrics.ranking import kth_largest
from storewise.recommend.request import ItemList, Reason, Request

ConfigT = TypeVar("ConfigT", bound=Config)


class Retriever(Component[ConfigT]):
    """Finds candidates in the whole catalogue.

    ``scores`` is the definition; ``__call__`` answers one request with the same order and may be faster
    (only neighbours of the history, say). A retriever that cannot say anything of a product gives -inf and
    never returns it. An unknown customer and an empty history are normal: the answer may be an empty list.
    """

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        """Learn from the dataset. Training twice on the same data with the same seed gives the same state."""

    @abstractmethod
    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        """(b, n_products) float32, larger is better, -inf for "cannot say"; never NaN."""

    def finite(self, one: Histories) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The products (m,), rising, that one shopper's scores say anything of, and those scores (m,).

        A retriever that knows few products of a large catalogue should answer this without the rest.
        """
        scores = self.scores(one)[0]
        products = np.flatnonzero(scores > -np.inf).astype(np.int32)
        return products, scores[products]

    def __call__(self, request: Request, n: int) -> ItemList:
        """The best n eligible products, ties broken by the smaller index."""
        found = top_n(self.scores(request.history)[0], n, eligible=request.eligible)
        return ItemList(found.products, found.scores, tuple(self.reasons(request, found.products)))

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """One reason for each product, true of this model and this request."""
        return [Reason("popular") for _ in products]


def top_n(
    scores: npt.NDArray[np.float32], n: int, *, eligible: npt.NDArray[np.bool_] | None = None
) -> ItemList:
    """The n best of scores (n_products,), ties broken by the smaller index; -inf is never returned.

    >>> top_n(np.array([1, 3, 3, -np.inf], np.float32), 3).products
    array([1, 2, 0], dtype=int32)
    """
    if eligible is not None:
        scores = np.where(eligible, scores, -np.inf)
    n = min(n, len(scores))
    if n <= 0:
        return ItemList.empty()
    candidates = np.flatnonzero(scores > -np.inf)
    if n < len(candidates):
        # Everything at or above the n-th value, so that a tie at the border goes to the smaller index.
        candidates = candidates[scores[candidates] >= kth_largest(scores[candidates], n)]
    order = np.argsort(-scores[candidates], kind="stable")[:n]
    chosen = candidates[order].astype(np.int32)
    return ItemList(chosen, scores[chosen].astype(np.float32, copy=False))
