"""How alike two products are by what is written of them: any vectors, or else the words of their titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.understand.graph.pairs import Floats, Ints

BLOCK = 1_024
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[぀-ヿ㐀-鿿豈-﫿가-힯]+")


@dataclass(frozen=True)
class Content:
    """Unit rows, (n_products, d), dense or sparse; ``source`` says in words where they come from."""

    rows: Any
    source: str

    @classmethod
    def of_vectors(cls, vectors: npt.NDArray[np.float32]) -> Content:
        """Any product vectors (n, d), such as an encoder's; zero rows stay zero.

        The mean of the shop is taken off first: encoders differ in how alike they find two texts that have
        nothing in common, and without their mean it is about 0 for all of them.
        """
        told = np.linalg.norm(vectors, axis=1, keepdims=True) > 1e-12
        mean = vectors[told[:, 0]].mean(axis=0) if told.any() else 0.0
        centred = np.where(told, vectors - mean, 0.0).astype(np.float32)
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        return cls(np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-6), "vectors")

    @classmethod
    def of_titles(cls, titles: Sequence[str | None]) -> Content:
        """Words of the titles weighted by how rare they are: ln((1 + n) / (1 + df)) + 1 (TF-IDF, binary TF).

        >>> shop = Content.of_titles(["Red cup", "Blue cup", "Lamp"])
        >>> shop.similarity(np.array([0, 0]), np.array([1, 2])).round(2).tolist()
        [0.37, 0.0]
        """
        words = [sorted(set(tokens(title or ""))) for title in titles]
        known = {word: i for i, word in enumerate(sorted({word for each in words for word in each}))}
        indptr = np.concatenate([[0], np.cumsum([len(each) for each in words])]).astype(np.int64)
        indices = np.array([known[word] for each in words for word in each], np.int64)
        shape = (len(words), max(len(known), 1))
        found = sparse.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=shape)
        df = np.bincount(indices, minlength=shape[1])
        found = found @ sparse.diags((np.log((1 + len(words)) / (1 + df)) + 1).astype(np.float32))
        length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
        scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
        return cls((sparse.diags(scale) @ found).tocsr(), "title words")

    def similarity(self, a: Ints, b: Ints) -> Floats:
        """Cosine of each pair, (m,)."""
        if sparse.issparse(self.rows):
            return np.asarray(self.rows[a].multiply(self.rows[b]).sum(axis=1), np.float64).ravel()
        cosine: Floats = np.einsum("ij,ij->i", self.rows[a], self.rows[b]).astype(np.float64)
        return cosine

    def alike(self, groups: npt.NDArray[np.int32], threshold: float) -> tuple[Ints, Ints, Floats]:
        """Pairs a < b of the same group (−1: none) whose cosine is at least ``threshold``."""
        parts = [part for group in _members(groups) for part in self._alike_among(group, threshold)]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        a, b, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((b, a))
        return a[order], b[order], similarity[order]

    def _alike_among(self, members: Ints, threshold: float) -> list[tuple[Ints, Ints, Floats]]:
        mine = self.rows[members]
        found = []
        for start in range(0, len(members), BLOCK):
            cosine = mine[start : start + BLOCK] @ mine.T
            cosine = cosine.toarray() if sparse.issparse(cosine) else np.asarray(cosine)
            row, column = np.nonzero(cosine >= threshold)
            keep = column > row + start
            row, column = row[keep], column[keep]
            found.append((members[row + start], members[column], cosine[row, column].astype(np.float64)))
        return found


def tokens(text: str) -> list[str]:
    """Words in lower case; runs of Chinese, Japanese or Korean signs as overlapping pairs of signs.

    >>> tokens("Red CUP 250ml"), tokens("红色水杯")
    (['red', 'cup', '250ml'], ['红色', '色水', '水杯'])
    """
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        place = 0
        for run in _CJK.finditer(word):
            found += [word[place : run.start()]] if run.start() > place else []
            signs = run[0]
            found += ["".join(pair) for pair in pairwise(signs)] or [signs]
            place = run.end()
        found += [word[place:]] if place < len(word) else []
    return found


def _members(groups: npt.NDArray[np.int32]) -> list[Ints]:
    order = np.argsort(groups, kind="stable")
    borders = np.flatnonzero(np.diff(groups[order])) + 1
    return [part.astype(np.int64) for part in np.split(order, borders) if len(part) and groups[part[0]] >= 0]
