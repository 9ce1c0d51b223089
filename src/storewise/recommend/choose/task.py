"""A ranking question with known answers: what selection and evaluation both ask of a retriever."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.data.interactions import Histories


@dataclass(frozen=True)
class Task:
    """Rank the whole catalogue for b shoppers.

    ``histories``: what was known of each when asked. ``relevant`` (b, n_products): nonzero where the shopper
    acted afterwards. ``seen`` (b, n_products) or None: nonzero products are taken out before ranking.
    ``k``: length of the list; ``metric``: what hyper-parameters are chosen by, e.g. ``"ndcg"``.
    """

    histories: Histories
    relevant: sparse.csr_matrix
    seen: sparse.csr_matrix | None
    k: int
    metric: str = "ndcg"

    def __len__(self) -> int:
        return len(self.histories)

    def mask(self, scores: npt.NDArray[np.float32], start: int = 0) -> npt.NDArray[np.float32]:
        """Put -inf at the seen products of shoppers start … start + len(scores) - 1, in place."""
        if self.seen is not None:
            part = self.seen[start : start + len(scores)]
            scores[np.repeat(np.arange(len(scores)), np.diff(part.indptr)), part.indices] = -np.inf
        return scores
