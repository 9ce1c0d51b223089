"""Measuring trials quickly: only the ranks of the relevant products are worked out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.metrics import ranking
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever

CELLS = 16_000_000
"""Scores in memory at a time."""


class Judge:
    """Values models by the task's metric on at most ``most`` of its shoppers, always the same ones."""

    def __init__(self, task: Task, *, most: int, rng: np.random.Generator) -> None:
        chosen = np.arange(len(task))
        if len(task) > most:
            chosen = np.sort(rng.choice(len(task), most, replace=False))
        seen = None if task.seen is None else task.seen[chosen]
        histories = task.histories.take(chosen)
        self.task = Task(histories, task.relevant[chosen], seen, task.k, task.metric)

    def __len__(self) -> int:
        return len(self.task)

    @property
    def label(self) -> str:
        """The metric with the length of the list, such as ``ndcg@10``."""
        return f"{self.task.metric}@{self.task.k}"

    def each(self, model: Retriever[Any]) -> npt.NDArray[np.float64]:
        """(b,): the metric of each shopper."""
        task, start, lists = self.task, 0, []
        size = max(1, CELLS // max(task.histories.n_products, 1))
        for histories in task.histories.batches(size):
            scores = task.mask(model.scores(histories), start)
            lists.append(hits_at_rank(scores, task.k, task.relevant[start : start + len(histories)]))
            start += len(histories)
        top = np.concatenate(lists) if lists else np.empty((0, task.k), np.int32)
        return ranking.METRICS[task.metric](top, task.relevant)

    def value(self, model: Retriever[Any]) -> float:
        """Mean of ``each``; 0 when nobody was asked."""
        found = self.each(model)
        return float(np.nanmean(found)) if len(found) else 0.0


def hits_at_rank(scores: npt.NDArray[np.float32], k: int, relevant: sparse.csr_matrix) -> ranking.Lists:
    """(b, k) lists that hold the relevant products at their ranks and -1 elsewhere.

    Every metric of ``metrics.ranking`` gives the same as for ``ranking.top_k(scores, k, relevant)``, ties
    broken against the model, but nothing is sorted.

    >>> hits_at_rank(np.array([[0.1, 0.5, 0.5]], np.float32), 2, sparse.csr_matrix([[0, 1, 0]]))
    array([[-1,  1]], dtype=int32)
    """
    top = np.full((len(scores), k), -1, np.int32)
    for row in range(len(scores)):
        wanted = relevant.indices[relevant.indptr[row] : relevant.indptr[row + 1]]
        wanted = wanted[scores[row, wanted] > -np.inf]
        order = np.argsort(-scores[row, wanted], kind="stable")
        for place, product in enumerate(wanted[order][:k]):
            value = scores[row, product]
            among = int(np.count_nonzero(scores[row, wanted] >= value))
            rank = place + int(np.count_nonzero(scores[row] >= value)) - among
            if rank >= k:
                break
            top[row, rank] = product
    return top
