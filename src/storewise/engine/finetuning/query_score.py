"""How well a tower finds what later shoppers clicked for their queries: one row a query, all products ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.rng import spawn
from storewise.engine.queries.clicks import Clicks
from storewise.metrics import ranking
from storewise.metrics.intervals import mean, paired_difference
from storewise.understand.finetune.tower import Tower

ENOUGH_QUERIES = 30  # different ones after the border, and as many before it
MOST_QUERIES, MOST_PRODUCTS = 2_000, 5_000  # that a score looks at
K = 20


@dataclass(frozen=True)
class QueryScore:
    """``queries`` (q,) texts; ``products`` (p,) indices of the candidates; ``relevant`` (q, p): clicked after the
    border; ``n_new``: how many of the queries nobody had asked before it."""

    queries: list[str]
    products: npt.NDArray[np.int64]
    relevant: sparse.csr_matrix
    texts: Sequence[str]
    n_new: int

    @classmethod
    def of(cls, clicks: Clicks, border: float, texts: Sequence[str], *, seed: int) -> QueryScore | None:
        """Later queries against all products (of more than 5,000: what was clicked and others drawn by the seed); None
        where fewer than 30 queries lie on either side of ``border``."""
        later, earlier = clicks.since(border), np.unique(clicks.before(border).queries)
        asked = np.unique(later.queries)
        if min(len(asked), len(earlier)) < ENOUGH_QUERIES:
            return None
        rng = spawn(seed, "finetune", "queries")
        if len(asked) > MOST_QUERIES:
            asked = np.sort(rng.choice(asked, MOST_QUERIES, replace=False))
        later = later.rows(np.isin(later.queries, asked))
        wanted = np.unique(later.products)
        others = np.setdiff1d(np.flatnonzero([bool(text.strip()) for text in texts]), wanted)
        room = max(0, MOST_PRODUCTS - len(wanted))
        drawn = others if len(others) <= room else rng.choice(others, room, replace=False)
        products = np.union1d(wanted, drawn).astype(np.int64)
        row, column = np.searchsorted(asked, later.queries), np.searchsorted(products, later.products)
        shape = (len(asked), len(products))
        relevant = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=shape)
        relevant.data[:] = 1.0
        words = [clicks.words[q] for q in asked]
        return cls(words, products, relevant, texts, len(np.setdiff1d(asked, earlier)))

    def values(self, tower: Tower) -> dict[str, npt.NDArray[np.float64]]:
        """``recall@20`` and ``mrr@20`` (q,) of each query."""
        found = tower.encode([self.texts[i] for i in self.products])
        scores = tower.encode(self.queries) @ found.T
        top = ranking.top_k(scores, min(K, scores.shape[1]), self.relevant)
        return {
            f"recall@{K}": ranking.recall(top, self.relevant),
            f"mrr@{K}": ranking.reciprocal_rank(top, self.relevant),
        }

    def __call__(self, tower: Tower) -> float:
        """Mean recall@20."""
        return float(self.values(tower)[f"recall@{K}"].mean())

    def report(
        self, before: dict[str, npt.NDArray[np.float64]], after: dict[str, npt.NDArray[np.float64]], *, seed: int
    ) -> dict[str, Any]:  # fmt: skip
        """Both figures before and after, and their paired difference, with intervals over queries."""
        found: dict[str, Any] = {"queries": len(self.queries), "new_queries": self.n_new}
        for name, old in before.items():
            found[name] = {
                "before": mean(old[:, None], seed=seed)[0].as_dict(),
                "after": mean(after[name][:, None], seed=seed)[0].as_dict(),
                "gained": paired_difference(after[name], old, seed=seed).as_dict(),
            }
        return found


def query_border(clicks: Clicks, start: float) -> float:
    """``start``, or where fewer than half of the clicks lie before it, the moment that three quarters lie before."""
    if (clicks.at < start).mean() >= 0.5:
        return start
    return float(np.quantile(clicks.at, 0.75))
