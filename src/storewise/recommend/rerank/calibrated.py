"""Lists whose mix of categories is the shopper's own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker
from storewise.recommend.rerank.likeness import relevance

Mix = npt.NDArray[np.float64]


class CalibratedConfig(Config):
    """``weight``: λ, how much the mix counts beside relevance; ``smoothing``: α, the part of the shopper's own mix
    that a list is taken to have anyway, which keeps the divergence finite. ``least``: products in the history
    below which a mix says too little."""

    name: str = "category_mix"
    weight: float = Field(default=0.5, ge=0, le=1)
    smoothing: float = Field(default=0.01, gt=0, lt=1)
    least: int = Field(default=5, ge=1)


class Calibrated(Reranker[CalibratedConfig]):
    """Steck (2018): with p the shopper's mix of categories, q that of the list I,

        argmax_I (1 - λ) Σ_{i ∈ I} r_i - λ KL(p ‖ q̃),    q̃ = (1 - α) q + α p,

    greedily, place after place. A shopper without a mix gets the list as it was.
    """

    Config = CalibratedConfig

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        shelf = self.known()
        history = shelf.category_codes[request.history.products]
        history = history[history >= 0]
        if len(history) < self.config.least:
            return Order(np.arange(min(n, len(items))))
        size = len(shelf.category_names)
        wanted: Mix = np.bincount(history, minlength=size) / len(history)
        codes, worth = shelf.category_codes[items.products], relevance(items.scores)
        counts = np.zeros(size)
        left = np.ones(len(items), bool)
        chosen: list[int] = []
        for _ in range(min(n, len(items))):
            cost = self._costs(wanted, counts, len(chosen) + 1)
            gain = (1.0 - self.config.weight) * worth - self.config.weight * cost[codes]
            best = int(np.argmax(np.where(left, gain, -np.inf)))
            chosen.append(best)
            left[best] = False
            if codes[best] >= 0:
                counts[codes[best]] += 1
        return Order(np.array(chosen, np.int64), frozenset(chosen))

    def _costs(self, wanted: Mix, counts: Mix, length: int) -> Mix:
        """(categories + 1,): the divergence after one more of each category; the last: of none."""
        base = counts / length
        alone = self._terms(wanted, base)
        more = self._terms(wanted, (counts + 1.0) / length)
        total = alone.sum()
        return np.append(total - alone + more, total)

    def _terms(self, wanted: Mix, listed: Mix) -> Mix:
        smoothed = (1.0 - self.config.smoothing) * listed + self.config.smoothing * wanted
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(wanted > 0, wanted * np.log(wanted / smoothed), 0.0)
        return np.asarray(terms)


def divergence(wanted: Mix, listed: Mix, smoothing: float) -> float:
    """KL(p ‖ q̃), 0 for the shopper's own mix.

    >>> divergence(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 0.01)
    0.0
    """
    smoothed = (1.0 - smoothing) * listed + smoothing * wanted
    told = wanted > 0
    return float((wanted[told] * np.log(wanted[told] / smoothed[told])).sum())
