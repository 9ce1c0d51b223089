"""The sparse matrix behind logistic regression: standardised numbers, their bins, categories, hashed crosses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.component import Arrays
from storewise.predict.base import Labelled, Rows
from storewise.predict.tables.hashing import mixed

Floats = npt.NDArray[np.float64]
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Design:
    """How rows become (n, width) sparse float64, learned from training rows.

    Columns: the numbers, clipped to the training rows' 0.1 and 99.9 % quantiles and standardised (missing: the mean,
    that is 0); one column for each bin of each number and one for "missing"; one for each code of each category;
    ``hash_size`` for crosses of pairs; vectors as they are, scaled to unit variance on average.
    ``feature_of`` (width,): which name a column belongs to; a cross belongs to none (-1).
    """

    names: tuple[str, ...]
    clip: Floats  # (2, p)
    means: Floats  # (p,)
    scales: Floats  # (p,)
    edges: Floats  # (p, bins - 1)
    code_counts: npt.NDArray[np.int64]  # (q,) columns of each category: missing, unseen, 1 …
    pairs: npt.NDArray[np.int64]  # (k, 2)
    vector_scales: Floats  # (v,)
    vector_sizes: npt.NDArray[np.int64]  # (v,)
    hash_size: int

    @classmethod
    def learn(cls, data: Labelled, *, bins: int, crossed: int, hash_bits: int) -> Design:
        """``crossed``: of so many categories (those that tell most) each pair is crossed."""
        rows = data.rows
        numbers = rows.numbers.astype(np.float64)
        p = numbers.shape[1]
        clip, means, scales = np.zeros((2, p)), np.zeros(p), np.ones(p)
        edges = np.full((p, max(bins - 1, 0)), np.inf)
        for place in range(p):
            known = numbers[:, place][np.isfinite(numbers[:, place])]
            if not len(known):
                continue
            clip[:, place] = np.quantile(known, (0.001, 0.999))
            kept = np.clip(known, *clip[:, place])
            means[place], deviation = kept.mean(), kept.std()
            scales[place] = deviation if deviation > 1e-12 * max(1.0, abs(means[place])) else 1.0
            edges[place] = np.quantile(known, np.arange(1, bins) / bins) if bins > 1 else edges[place]
        best = sorted(range(len(rows.sizes)), key=lambda place: -_told(data, place))[:crossed]
        pairs = np.array(list(combinations(sorted(best), 2)), np.int64).reshape(-1, 2)
        blocks = [block for _, block in sorted(rows.vectors.items())]
        return cls(
            (*rows.number_names, *rows.category_names, *sorted(rows.vectors)), clip, means, scales, edges,
            np.array([size + 1 for size in rows.sizes], np.int64), pairs,
            np.array([max(float(np.sqrt((block**2).mean())), 1e-12) for block in blocks]),
            np.array([block.shape[1] for block in blocks], np.int64), 1 << hash_bits,
        )  # fmt: skip

    @property
    def feature_of(self) -> npt.NDArray[np.int64]:
        p, q, each = len(self.means), len(self.code_counts), self.edges.shape[1] + 2
        return np.concatenate([
            np.arange(p), np.repeat(np.arange(p), each), np.repeat(p + np.arange(q), self.code_counts),
            np.full(self.hash_size if len(self.pairs) else 0, -1),
            np.repeat(p + q + np.arange(len(self.vector_sizes)), self.vector_sizes),
        ])  # fmt: skip

    def __call__(self, rows: Rows) -> sparse.csr_matrix:
        """(n, width) csr."""
        dense = self._numbers(rows)
        slots, offset = [], dense.shape[1]
        for place in range(len(self.means)):
            slots.append(offset + self._bins(rows.numbers[:, place], place))
            offset += self.edges.shape[1] + 2
        for place, count in enumerate(self.code_counts):
            codes = rows.categories[:, place].astype(np.int64) + 1
            slots.append(offset + np.where(codes < count, codes, 1))
            offset += count
        if len(self.pairs):
            slots += [offset + self.crosses(rows, place) for place in range(len(self.pairs))]
            offset += self.hash_size
        vectors = [
            rows.vectors[name].astype(np.float64) / scale
            for name, scale in zip(self._vector_names, self.vector_scales, strict=True)
        ]
        return sparse.hstack(
            [sparse.csr_matrix(dense), _one_hot(slots, offset - dense.shape[1], dense.shape[1], len(rows)),
             *[sparse.csr_matrix(block) for block in vectors]], format="csr",
        )  # fmt: skip

    @property
    def _vector_names(self) -> tuple[str, ...]:
        return self.names[len(self.names) - len(self.vector_sizes) :]

    def _numbers(self, rows: Rows) -> Floats:
        kept = np.clip(rows.numbers.astype(np.float64), self.clip[0], self.clip[1])
        standard: Floats = np.where(np.isfinite(kept), (kept - self.means) / self.scales, 0.0)
        return standard

    def _bins(self, values: npt.NDArray[np.float32], place: int) -> npt.NDArray[np.int64]:
        """(n,) 0 for missing, then 1 … bins."""
        found = np.searchsorted(self.edges[place], values.astype(np.float64), side="right") + 1
        return np.where(np.isfinite(values), found, 0)

    def crosses(self, rows: Rows, place: int) -> npt.NDArray[np.int64]:
        """(n,) hashed column of a pair of codes."""
        left, right = (rows.categories[:, column].astype(np.int64) + 2 for column in self.pairs[place])
        keys = (np.int64(place + 1) << 58) ^ (left << 29) ^ right
        hashed = mixed(keys.view(np.uint64)) % np.uint64(self.hash_size)
        return hashed.astype(np.int64)

    def state(self) -> Arrays:
        return {
            "names": np.frombuffer(SEPARATOR.join(self.names).encode(), np.uint8), "clip": self.clip,
            "means": self.means, "scales": self.scales, "edges": self.edges, "code_counts": self.code_counts,
            "pairs": self.pairs, "vector_scales": self.vector_scales, "vector_sizes": self.vector_sizes,
            "hash_size": np.array(self.hash_size),
        }  # fmt: skip

    @classmethod
    def restore(cls, state: Arrays) -> Design:
        text = state["names"].tobytes().decode()
        parts = {name: state[name] for name in (
            "clip", "means", "scales", "edges", "code_counts", "pairs", "vector_scales", "vector_sizes")}  # fmt: skip
        return cls(
            names=tuple(text.split(SEPARATOR)) if text else (), hash_size=int(state["hash_size"]), **parts
        )


def _one_hot(slots: list[Any], width: int, first: int, n: int) -> sparse.csr_matrix:
    if not slots:
        return sparse.csr_matrix((n, 0))
    columns = (np.stack(slots, axis=1) - first).astype(np.int32)
    indptr = np.arange(0, columns.size + 1, columns.shape[1])
    return sparse.csr_matrix((np.ones(columns.size), columns.ravel(), indptr), shape=(n, width))


def _told(data: Labelled, place: int) -> float:
    """How much a category's codes say of the label: the sum of shrunken squared deviations, by rows."""
    codes = data.rows.categories[:, place] + 1
    n = np.bincount(codes)
    gaps = np.bincount(codes, data.labels - data.labels.mean())
    return float((gaps**2 / (n + 20.0)).sum())
