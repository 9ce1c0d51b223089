"""Nearest neighbours of unit vectors: exact by matrix products, or faiss above a size, under one contract.

faiss (Douze et al. 2024) is used with an inverted file and 8-bit scalar quantisation; its recall against the
exact answer is measured on a sample when the index is built, not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError, MissingExtra
from storewise.understand.base import Vectors

EXACT_BELOW = 50_000
BLOCK = 1_024  # questions whose similarities to everything are in memory at a time
SAMPLE = 200  # questions on which recall is measured
Found = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


class Index(Protocol):
    """``search(questions (q, d), k)`` gives products (q, k) int32 and cosines (q, k) float32, best first.

    Where there are fewer than k vectors the rest is -1 and -inf. ``recall``: share of the true best ten that
    were found for a sample of the vectors themselves, 1 for an exact index.
    """

    @property
    def recall(self) -> float: ...

    def search(self, questions: Vectors, k: int) -> Found: ...


def index_of(vectors: Vectors, *, exact_below: int = EXACT_BELOW, seed: int = 0) -> Index:
    """The index that suits the number of vectors (n, d).

    Raises:
        MissingExtra: above ``exact_below`` without faiss.

    >>> cups = np.eye(3, dtype=np.float32)
    >>> index_of(cups).search(cups[:1], 2)[0].tolist()
    [[0, 1]]
    """
    return Exact(vectors) if len(vectors) < exact_below else Faiss(vectors, seed=seed)


@dataclass(frozen=True)
class Exact:
    """Every cosine, by BLAS. Ties go to the smaller index."""

    vectors: Vectors
    recall: float = 1.0

    def search(self, questions: Vectors, k: int) -> Found:
        _check(questions, self.vectors.shape[1], k)
        n, wanted = len(self.vectors), min(k, len(self.vectors))
        best = np.full((len(questions), k), -1, np.int32)
        cosines = np.full((len(questions), k), -np.inf, np.float32)
        for start in range(0, len(questions), BLOCK):
            scores = questions[start : start + BLOCK] @ self.vectors.T
            rows = np.arange(len(scores))[:, None]
            part = np.argpartition(-scores, wanted - 1, axis=1)[:, :wanted] if wanted < n else None
            if part is None:
                order = np.argsort(-scores, axis=1, kind="stable")
            else:
                # Everything at the border's value or above, so that ties do not depend on the partition.
                border = scores[rows, part].min(axis=1, keepdims=True)
                masked = np.where(scores >= border, scores, -np.inf)
                order = np.argsort(-masked, axis=1, kind="stable")[:, :wanted]
            best[start : start + BLOCK, :wanted] = order
            cosines[start : start + BLOCK, :wanted] = scores[rows, order]
        return best, cosines


class Faiss:
    """An inverted file over 8-bit codes; the best candidates are scored again exactly."""

    def __init__(self, vectors: Vectors, *, seed: int = 0, probes: int = 32, refine: int = 4) -> None:
        try:
            import faiss
        except ImportError as error:
            raise MissingExtra("faiss-cpu", "ann") from error
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        n, d = self.vectors.shape
        lists = int(np.clip(4 * np.sqrt(n), 1, max(1, n // 40)))
        quantiser: Any = faiss.IndexFlatIP(d)
        self._index: Any = faiss.IndexIVFScalarQuantizer(
            quantiser, d, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        self._index.cp.seed = seed + 1
        self._quantiser = quantiser  # faiss keeps only a pointer
        self._index.train(self.vectors)
        self._index.add(self.vectors)
        self._index.nprobe = min(probes, lists)
        self._refine = refine
        self.recall = self._measure(np.random.default_rng(seed))

    def search(self, questions: Vectors, k: int) -> Found:
        _check(questions, self.vectors.shape[1], k)
        wanted = min(len(self.vectors), k * self._refine)
        _, rough = self._index.search(np.ascontiguousarray(questions, np.float32), wanted)
        exact = np.einsum("qd,qkd->qk", questions, self.vectors[np.maximum(rough, 0)])
        exact = np.where(rough >= 0, exact, -np.inf).astype(np.float32)
        order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
        rows = np.arange(len(questions))[:, None]
        best = np.full((len(questions), k), -1, np.int32)
        cosines = np.full((len(questions), k), -np.inf, np.float32)
        best[:, : order.shape[1]] = rough[rows, order]
        cosines[:, : order.shape[1]] = exact[rows, order]
        return best, cosines

    def _measure(self, rng: np.random.Generator) -> float:
        asked = self.vectors[rng.choice(len(self.vectors), min(SAMPLE, len(self.vectors)), replace=False)]
        k = min(10, len(self.vectors))
        found, truth = self.search(asked, k)[0], Exact(self.vectors).search(asked, k)[0]
        return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(found, truth, strict=True)]))


def _check(questions: Vectors, d: int, k: int) -> None:
    if k < 1 or questions.ndim != 2 or questions.shape[1] != d:
        raise ConfigError(
            f"k is {k} and the questions have shape {questions.shape}.",
            next_step=f"Ask for at least 1 neighbour of rows of length {d}.",
        )
