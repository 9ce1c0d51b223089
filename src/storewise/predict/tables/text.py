"""A text column as vectors: hashed words and pairs of words, TF-IDF, and the main directions of them (LSA)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]
"""Texts → (n, d) float32: an encoder of ``understand``, given from outside."""

HASH_SIZE = 1 << 14
TOKENS = r"(?u)[^\W\u4e00-\u9fff]+|[\u4e00-\u9fff]"  # words; single Chinese characters


@dataclass(frozen=True)
class TextDirections:
    """Latent semantic analysis (Deerwester et al., 1990) over hashed features: ``idf`` (h,), ``directions`` (h, d).

    >>> model = TextDirections.learn(["red shoe", "red boot", "blue pan"], dimensions=2, seed=1)
    >>> model(["red shoe", ""]).shape
    (2, 2)
    """

    idf: npt.NDArray[np.float32]
    directions: npt.NDArray[np.float32]

    @classmethod
    def learn(cls, texts: Sequence[str], *, dimensions: int, seed: int) -> TextDirections:
        """``ln((1 + n) / (1 + df)) + 1`` weights, unit rows, truncated randomised SVD."""
        from sklearn.utils.extmath import randomized_svd

        counts = _hasher().transform(texts)
        document_counts = np.bincount(counts.indices, minlength=HASH_SIZE)
        idf = (np.log((1 + len(texts)) / (1 + document_counts)) + 1).astype(np.float32)
        weighted = _weighted(counts, idf)
        d = max(1, min(dimensions, len(texts) - 1, int((document_counts > 0).sum()) - 1))
        _, _, right = randomized_svd(weighted, d, random_state=seed)
        return cls(idf, np.ascontiguousarray(right.T, np.float32))

    def __call__(self, texts: Sequence[str]) -> Vectors:
        return np.asarray(_weighted(self._hash.transform(texts), self.idf) @ self.directions, np.float32)

    @cached_property
    def _hash(self) -> Any:
        return _hasher()


def _hasher() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        token_pattern=TOKENS, ngram_range=(1, 2), n_features=HASH_SIZE, alternate_sign=False, norm=None,
        binary=True, dtype=np.float32,
    )  # fmt: skip


def _weighted(counts: Any, idf: npt.NDArray[np.float32]) -> Any:
    from sklearn.preprocessing import normalize

    weighted = counts.copy()
    weighted.data = weighted.data * idf[weighted.indices]
    return normalize(weighted, copy=False)
