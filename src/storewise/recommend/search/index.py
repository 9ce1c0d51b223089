"""The fielded index: which word stands how often in which field of which product. Plain arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import DataError
from storewise.core.progress import Progress, Silent
from storewise.recommend.search.analyser import index_words

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class TextIndex:
    """Words and their counts.

    ``words``: sorted. ``counts``: field → (n_words, n_products) CSR float32, how often the word stands in the field.
    ``lengths``: field → (n_products,) float32, words of the field.

    >>> index = TextIndex.build({"title": ["Red lamp", "Lamps, 2 lamps"], "brand": ["Ikea", None]})
    >>> index.words
    ['2', 'ikea', 'lamp', 'red']
    >>> index.counts["title"].toarray()[2].tolist()
    [1.0, 2.0]
    """

    words: list[str]
    counts: Mapping[str, sparse.csr_matrix]
    lengths: Mapping[str, npt.NDArray[np.float32]]

    @classmethod
    def build(
        cls, fields: Mapping[str, Sequence[str | None]], *, progress: Progress | None = None
    ) -> TextIndex:
        """Index texts by field; all fields have one text (or None) for each product.

        Raises:
            DataError: without fields, or when they differ in length.
        """
        sizes = {name: len(texts) for name, texts in fields.items()}
        if len(set(sizes.values())) != 1:
            raise DataError(
                f"Search fields have these numbers of texts: {sizes}.",
                next_step="Give at least one field, each with one text (or None) for each product.",
            )
        n = next(iter(sizes.values()))
        number: dict[str, int] = {}
        raw: dict[str, tuple[list[int], list[int], list[int]]] = {}
        for name, texts in (progress or Silent()).track(list(fields.items()), label="indexing the words"):
            rows, columns, values = raw[name] = ([], [], [])
            for product, text in enumerate(texts):
                for word, count in Counter(index_words(text) if text else ()).items():
                    rows.append(number.setdefault(word, len(number)))
                    columns.append(product)
                    values.append(count)
        words = sorted(number)
        place = np.empty(len(words), np.int64)
        place[[number[word] for word in words]] = np.arange(len(words))
        counts = {
            name: sparse.csr_matrix(
                (np.array(v, np.float32), (place[np.array(r, np.int64)], np.array(c, np.int64))),
                shape=(len(words), n),
            )
            for name, (r, c, v) in raw.items()
        }
        for matrix in counts.values():
            matrix.sort_indices()
        return cls(words, counts, {name: _lengths(found) for name, found in counts.items()})

    @property
    def n_products(self) -> int:
        return int(next(iter(self.counts.values())).shape[1])

    @cached_property
    def number(self) -> dict[str, int]:
        """Word → row of the counts."""
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def frequency(self) -> npt.NDArray[np.int64]:
        """(n_words,): how many products hold the word in any field."""
        present = sum(matrix.astype(bool).astype(np.int32) for matrix in self.counts.values())
        found: npt.NDArray[np.int64] = np.diff(sparse.csr_matrix(present).indptr).astype(np.int64)
        return found

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Plain arrays; see :meth:`restore`."""
        found: dict[str, npt.NDArray[Any]] = {
            "words": np.frombuffer("\n".join(self.words).encode(), np.uint8),
            "fields": np.frombuffer("\n".join(self.counts).encode(), np.uint8),
            "shape": np.array([len(self.words), self.n_products], np.int64),
        }
        for i, matrix in enumerate(self.counts.values()):
            found[f"indptr_{i}"] = matrix.indptr.astype(np.int64)
            found[f"indices_{i}"] = matrix.indices.astype(np.int32)
            found[f"data_{i}"] = matrix.data.astype(np.float32)
        return found

    @classmethod
    def restore(cls, state: Arrays) -> TextIndex:
        """The index whose arrays :meth:`state` gave.

        >>> index = TextIndex.build({"title": ["Red lamp", ""]})
        >>> TextIndex.restore(index.state()).words
        ['lamp', 'red']
        """
        words = bytes(state["words"]).decode()
        shape = tuple(int(v) for v in state["shape"])
        counts = {
            name: sparse.csr_matrix(
                (state[f"data_{i}"], state[f"indices_{i}"], state[f"indptr_{i}"]), shape=shape
            )
            for i, name in enumerate(bytes(state["fields"]).decode().split("\n"))
        }
        lengths = {name: _lengths(found) for name, found in counts.items()}
        return cls(words.split("\n") if words else [], counts, lengths)


def _lengths(counts: sparse.csr_matrix) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = np.asarray(counts.sum(axis=0), np.float32).ravel()
    return found
