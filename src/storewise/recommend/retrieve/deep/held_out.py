"""The last event of some shoppers, kept from training to tell when to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.base import Retriever

MOST, SHARE, K = 2_000, 0.2, 10
CELLS = 8_000_000


@dataclass(frozen=True)
class HeldOut:
    """``histories`` of b shoppers before the event, ``targets`` (b,) its product."""

    histories: Histories
    targets: npt.NDArray[np.int32]

    @classmethod
    def split(cls, dataset: Dataset, rng: np.random.Generator) -> tuple[Dataset, HeldOut]:
        """What is left to learn from, and the last events of a fifth (at most 2,000) of the shoppers who have at
        least three; of nobody where there are too few to tell anything."""
        behaviour = dataset.interactions
        able = np.flatnonzero(np.diff(behaviour.indptr) >= 3)
        chosen = np.sort(rng.permutation(able)[: min(MOST, int(SHARE * len(able)))])
        last = behaviour.indptr[chosen + 1] - 1
        keep = np.ones(len(behaviour), np.bool_)
        keep[last] = False
        values = None if dataset.values is None else dataset.values[keep]
        rest = dataset.with_interactions(behaviour.select(keep), values=values)
        histories = rest.histories(chosen, now=behaviour.at[last])
        return rest, cls(histories, behaviour.products[last])

    def __len__(self) -> int:
        return len(self.targets)

    def value(self, model: Retriever[Any]) -> float:
        """NDCG@10 with one relevant product: 1 / log2(rank + 1), ties against the model."""
        gained, start = 0.0, 0
        for part in self.histories.batches(max(1, CELLS // max(self.histories.n_products, 1))):
            scores = model.scores(part)
            wanted = scores[np.arange(len(part)), self.targets[start : start + len(part)]]
            rank = np.where(wanted > -np.inf, (scores >= wanted[:, None]).sum(axis=1), K + 1)
            gained += float((1.0 / np.log2(rank[rank <= K] + 1.0)).sum())
            start += len(part)
        return gained / max(len(self), 1)
