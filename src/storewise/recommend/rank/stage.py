"""Retrieving and ranking as one, so that whatever asks a retriever can ask both."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.config import Config
from storewise.data.interactions import Histories
from storewise.recommend.choose.task import Task
from storewise.recommend.rank.base import Moment, Ranker
from storewise.recommend.rank.candidates import Candidates, Sources
from storewise.recommend.rank.objective import Objective
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.retrieve.base import Retriever

CELLS = 8_000_000


class Ranked(Retriever[Config]):
    """Candidates of ``sources`` in the order of ``ranker``, everything else -inf; None: in the fused order.

    ``only_new``: products of the history are no candidates. ``objective``: what an order is worth beside its
    relevance. Made of trained parts, it has no state of its own.
    """

    Config = Config

    def __init__(
        self,
        sources: Sources,
        ranker: Ranker[Any] | None,
        *,
        only_new: bool = False,
        objective: Objective | None = None,
    ) -> None:
        super().__init__(Config())
        self.sources, self.ranker, self.only_new, self.objective = sources, ranker, only_new, objective

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        out = np.full((len(histories), histories.n_products), -np.inf, np.float32)
        start = 0
        for part in histories.batches(batch_size(histories.n_products)):
            found = self.sources.many(part, seen_of(part) if self.only_new else None)
            told = self._order(part, found)
            known = ~np.isnan(told)
            out[start + found.row[known], found.products[known]] = told[known]
            start += len(part)
        return out

    def _order(self, histories: Histories, found: Candidates) -> npt.NDArray[np.float64]:
        if self.ranker is None:
            return found.parts[:, 0].astype(np.float64)
        scores = self.ranker.scores(histories, found)
        if self.objective is None or not self.objective.weight:
            return scores
        return self.objective(scores, self.ranker.chances(scores), found.products)


def replayed(sources: Sources, task: Task, facts: ProductFacts) -> Moment:
    """A question of the past as a lesson: the candidates for its shoppers, and which they bought."""
    made, start = [], 0
    for part in task.histories.batches(batch_size(task.histories.n_products)):
        seen = None if task.seen is None else task.seen[start : start + len(part)].toarray() > 0
        found = sources.many(part, seen)
        made.append((found, start))
        start += len(part)
    together = Candidates(
        np.concatenate([found.row + first for found, first in made]),
        np.concatenate([found.products for found, _ in made]),
        np.concatenate([found.parts for found, _ in made]),
        np.concatenate([found.ranks for found, _ in made]),
        sources.names,
    )
    bought = np.asarray(task.relevant[together.row, together.products]).ravel() > 0
    return Moment(task.histories, together, bought, facts)


def batch_size(n_products: int) -> int:
    """Shoppers that are scored at a time."""
    return max(1, CELLS // max(n_products, 1))


def seen_of(histories: Histories) -> npt.NDArray[np.bool_]:
    """(b, n_products): the products of each history."""
    return np.asarray(histories.matrix().toarray() > 0)
