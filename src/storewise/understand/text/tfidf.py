"""TF-IDF of words and character n-grams, reduced by a truncated SVD: always there, learned on the shop's own text.

Latent semantic analysis (Deerwester et al. 1990) on sublinear TF-IDF with L2-normalised rows.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse
from scipy.sparse.linalg import svds

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.understand.base import TextEncoder, Vectors, unit

WORD = re.compile(r"[^\W_]+")
WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
LIMIT = 20_000  # characters of a text that are read


class TfidfSvdConfig(Config):
    """``size``: dimensions at most (fewer where there is less text). ``characters``: n-grams of this length
    inside words, 0 for none. ``min_products``: a term in fewer texts is dropped. ``max_terms``: the commonest."""

    size: int = Field(default=256, ge=1, le=4096)
    characters: int = Field(default=4, ge=0, le=8)
    min_products: int = Field(default=2, ge=1)
    max_terms: int = Field(default=50_000, ge=10)


def terms_of(text: str, characters: int) -> list[str]:
    """Words in lower case without accents; the n-grams of each padded word; of Chinese, signs and their pairs.

    >>> terms_of("Café mugs", 4)
    ['cafe', 'mugs', '#<caf', '#cafe', '#afe>', '#<mug', '#mugs', '#ugs>']
    >>> terms_of("保温杯", 4)
    ['保', '温', '杯', '保温', '温杯']
    """
    plain = unicodedata.normalize("NFKD", text[:LIMIT]).lower()
    plain = unicodedata.normalize("NFKC", "".join(c for c in plain if not unicodedata.combining(c)))
    words, grams = [], []
    for word in WORD.findall(plain):
        if WIDE.search(word):
            words += [*word, *(word[i : i + 2] for i in range(len(word) - 1))]
            continue
        words.append(word)
        padded = f"<{word}>"
        if characters:
            grams += [f"#{padded[i : i + characters]}" for i in range(len(padded) - characters + 1)]
    return words + grams


class TfidfSvd(TextEncoder[TfidfSvdConfig]):
    """Vectors that come from the shop's own words alone. ``train`` on the catalogue's texts first.

    >>> model = TfidfSvd(TfidfSvdConfig(size=2, min_products=1))
    >>> model.train(["red cup", "red mug", "garden chair"], rng=np.random.default_rng(0))
    >>> a, b, c = model(["red cup", "red mug", "garden chair"])
    >>> bool(a @ b > a @ c)
    True
    """

    Config = TfidfSvdConfig

    def __init__(self, config: TfidfSvdConfig | None = None) -> None:
        super().__init__(config)
        self._terms: dict[str, int] = {}
        self._idf: npt.NDArray[np.float32] | None = None
        self._axes: npt.NDArray[np.float32] | None = None

    @property
    def dimensions(self) -> int:
        self.require(self._axes is not None)
        assert self._axes is not None
        return int(self._axes.shape[1])

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256("\x1f".join(self._terms).encode())
        for array in (self._idf, self._axes):
            digest.update(b"" if array is None else array.tobytes())
        return digest.hexdigest()[:16]

    def train(
        self, texts: Sequence[str], *, rng: np.random.Generator, progress: Progress | None = None
    ) -> None:
        """Learn terms, their rarity and the axes from the texts of the catalogue."""
        told = [terms_of(text, self.config.characters) for text in texts]
        counts: dict[str, int] = {}
        for terms in told:
            for term in set(terms):
                counts[term] = counts.get(term, 0) + 1
        kept = sorted((t for t, n in counts.items() if n >= self.config.min_products),
                      key=lambda t: (-counts[t], t))[: self.config.max_terms]  # fmt: skip
        self._terms = {term: i for i, term in enumerate(sorted(kept))}
        number = np.array([counts[term] for term in self._terms], np.float64)
        self._idf = (np.log((1 + len(texts)) / (1 + number)) + 1).astype(np.float32)
        self._axes = _axes(self.weigh(told), self.config.size, rng)

    def weigh(self, told: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """(n, terms) sublinear TF-IDF, rows of length 1 (or 0)."""
        assert self._idf is not None
        rows, columns = [], []
        for row, terms in enumerate(told):
            for term in terms:
                place = self._terms.get(term)
                if place is not None:
                    rows.append(row)
                    columns.append(place)
        shape = (len(told), len(self._terms))
        found = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        found.sum_duplicates()
        found.data = (1 + np.log(found.data)) * self._idf[found.indices]
        length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
        scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
        return sparse.csr_matrix(sparse.diags_array(scale.astype(np.float32)) @ found)

    def __call__(self, batch: Sequence[str]) -> Vectors:
        self.require(self._axes is not None)
        assert self._axes is not None
        if not batch:
            return np.zeros((0, self.dimensions), np.float32)
        return unit(self.weigh([terms_of(text, self.config.characters) for text in batch]) @ self._axes)

    def state(self) -> Arrays:
        self.require(self._axes is not None)
        assert self._axes is not None
        assert self._idf is not None
        text = "\x1f".join(self._terms).encode()
        return {"terms": np.frombuffer(text, np.uint8), "idf": self._idf, "axes": self._axes}

    def restore(self, state: Arrays) -> None:
        text = np.asarray(state["terms"], np.uint8).tobytes().decode()
        self._terms = {term: i for i, term in enumerate(text.split("\x1f") if text else [])}
        self._idf, self._axes = np.asarray(state["idf"]), np.asarray(state["axes"])


def _axes(matrix: sparse.csr_matrix, size: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(terms, d): the right singular vectors, largest first, signs fixed so that each sums to no less than 0."""
    most = min(matrix.shape) - 1
    if most < 1 or not matrix.nnz:
        return np.eye(matrix.shape[1], max(1, min(size, matrix.shape[1])), dtype=np.float32)
    d = min(size, most)
    start: npt.NDArray[Any] = rng.standard_normal(min(matrix.shape))
    _, values, right = svds(matrix.astype(np.float64), k=d, v0=start)
    axes = right[np.argsort(-values)].T
    turned: npt.NDArray[np.float32] = (axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)).astype(np.float32)
    return turned
