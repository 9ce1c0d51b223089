"""BM25F: one score from words in several fields (Robertson & Zaragoza, 2009, "The probabilistic relevance framework")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.config import Config
from storewise.recommend.search.index import TextIndex

WEIGHTS = {
    "title": 3.0,
    "name": 1.0,
    "description": 1.0,
    "category": 2.0,
    "brand": 1.0,
    "attributes": 0.5,
    "features": 0.2,
    "id": 1.0,
}
"""What a word in a field counts; a field that is not named here counts 1."""

TITLE_WEIGHT = 3.0


class Bm25fConfig(Config):
    """``k1``: how fast repetition saturates; ``b``: how much long texts are discounted, 0 to 1; ``lengths``: whether
    each field's length is judged by itself, or that of the whole product."""

    k1: float = Field(default=1.2, gt=0, le=20)
    b: float = Field(default=0.6, ge=0, le=1)
    lengths: Literal["each", "whole"] = "whole"
    weights: dict[str, float] = Field(default_factory=lambda: dict(WEIGHTS))


@dataclass(frozen=True)
class Bm25f:
    """The score of every (word, product) pair, ready to be added up.

    score(q, d) = Σ_{t ∈ q} idf(t) · x / (k1 + x), with x = Σ_f w_f · tf_{t,f,d} / (1 − b + b · len_{f,d} / mean len_f)
    and idf(t) = ln(1 + (N − n_t + ½) / (n_t + ½)) of the n_t products that hold t in a field of positive weight.
    The mean is over the products that have the field. With ``lengths="whole"`` (Robertson, Zaragoza & Taylor, 2004)
    one length Σ_f w_f · len_{f,d} stands for all fields.

    >>> index = TextIndex.build({"title": ["red lamp", "red shoe"], "description": ["", "shoe for a lamp"]})
    >>> scores = Bm25f.of(index, Bm25fConfig(weights={"title": 3.0, "description": 1.0})).word("lamp")
    >>> bool(scores[0] > scores[1] > 0)
    True
    """

    index: TextIndex
    matrix: sparse.csr_matrix  # (n_words, n_products)
    idf: npt.NDArray[np.float32]  # (n_words,)

    @classmethod
    def of(cls, index: TextIndex, config: Bm25fConfig | None = None) -> Bm25f:
        """Weigh the counts of an index."""
        config = config or Bm25fConfig()
        total = sparse.csr_matrix((len(index.words), index.n_products), dtype=np.float32)
        used = {name: np.float32(config.weights.get(name, 1.0)) for name in index.counts}
        whole = np.zeros(index.n_products, np.float32)
        for name, weight in used.items():
            whole += weight * index.lengths[name]
        for name, weight in used.items():
            if weight > 0:
                lengths = index.lengths[name] if config.lengths == "each" else whole
                total = total + _discounted(index.counts[name], lengths, weight, config.b)
        total = sparse.csr_matrix(total)
        held = np.diff(total.indptr)
        idf = np.log1p((index.n_products - held + 0.5) / (held + 0.5)).astype(np.float32)
        total.data = np.repeat(idf, held) * total.data / (np.float32(config.k1) + total.data)
        return cls(index, total, idf)

    def row(self, number: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Products that hold word ``number``, and its score in each."""
        start, stop = self.matrix.indptr[number], self.matrix.indptr[number + 1]
        return self.matrix.indices[start:stop], self.matrix.data[start:stop]

    def word(self, word: str) -> npt.NDArray[np.float32]:
        """(n_products,): the score of one word, zeros for an unknown one."""
        found = np.zeros(self.index.n_products, np.float32)
        number = self.index.number.get(word)
        if number is not None:
            products, scores = self.row(number)
            found[products] = scores
        return found


def _discounted(
    counts: sparse.csr_matrix, lengths: npt.NDArray[np.float32], weight: np.float32, b: float
) -> sparse.csr_matrix:
    filled = lengths[lengths > 0]
    mean = float(filled.mean()) if len(filled) else 1.0
    discount = (1 - b + b * lengths / mean).astype(np.float32)
    found = counts.copy()
    # b = 1 and an empty field would divide by zero, but an empty field has no counts either.
    found.data = weight * found.data / discount[found.indices]
    return found


def views(fields: Iterable[str], *, k1: float = 1.0, b: float = 0.5) -> dict[str, Bm25fConfig]:
    """Several looks at the same product, the fields of a look with equal weight.

    Each field alone; ``core``: without attributes; ``all``: everything but the names of what a product has; ``text``:
    that without ids; ``titled``: that with the title three times. ``….each`` judge each field's length by itself.

    >>> sorted(views(["title", "attributes"]))
    ['all', 'all.each', 'attributes', 'core', 'core.each', 'text', 'title', 'titled', 'titled.each']
    """
    names = list(fields)
    without = {"core": ("attributes", "features"), "all": ("features",), "text": ("features", "id")}
    chosen = {name: {name} for name in names}
    chosen |= {name: set(names) - set(left) or set(names) for name, left in without.items()}
    found = {
        look: Bm25fConfig(k1=k1, b=b, weights={name: float(name in used) for name in names})
        for look, used in chosen.items()
    }
    heavy = {name: TITLE_WEIGHT if name == "title" else w for name, w in found["text"].weights.items()}
    found["titled"] = found["text"].model_copy(update={"weights": heavy})
    for look in ("core", "all", "titled"):
        found[f"{look}.each"] = found[look].model_copy(update={"lengths": "each"})
    return found
