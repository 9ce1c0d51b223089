"""Fewer numbers a vector: principal axes, and product quantisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError, MissingExtra
from storewise.understand.base import Vectors, unit


@dataclass(frozen=True)
class Axes:
    """The d main axes of a catalogue's vectors, largest first: the first k of them are the best k (what a
    Matryoshka embedding learns, Kusupati et al. 2022), so that a shorter vector is a prefix of a longer one."""

    matrix: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors) -> Axes:
        """From unit vectors (n, d), not centred: cosines are to be kept.

        >>> axes = Axes.of(unit([[1, 0.1], [1, -0.1]]))
        >>> axes(unit([[1, 0.1], [1, -0.1]]), 1).round(3).tolist()
        [[1.0], [1.0]]
        """
        values, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
        axes = axes[:, np.argsort(-values)]
        return cls((axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)).astype(np.float32))

    def __call__(self, vectors: Vectors, size: int) -> Vectors:
        """(n, size) unit vectors.

        Raises:
            ConfigError: for more dimensions than there are.
        """
        if not 1 <= size <= len(self.matrix):
            raise ConfigError(f"{size} dimensions of {len(self.matrix)}.", next_step="Ask for fewer.")
        return unit(vectors @ self.matrix[:, :size])


class Coded:
    """Product quantisation (Jégou et al. 2011): each of ``parts`` slices of a vector is one of 256 centres, a byte.

    ``decoded`` (n, d) is what the codes stand for; a search compares the exact question with it.
    """

    def __init__(self, vectors: Vectors, *, parts: int, seed: int = 0) -> None:
        """
        Raises:
            ConfigError: when the parts do not divide the dimensions, or there are fewer than 256 vectors.
            MissingExtra: without faiss.
        """
        n, d = vectors.shape
        if d % parts or n < 256:
            raise ConfigError(
                f"{parts} parts of {d} dimensions, {n} vectors.",
                next_step="Give a divisor of the dimensions and at least 256 vectors.",
            )
        try:
            import faiss
        except ImportError as error:
            raise MissingExtra("faiss-cpu", "ann") from error
        coder: Any = faiss.ProductQuantizer(d, parts, 8)
        coder.cp.seed = seed + 1
        given = np.ascontiguousarray(vectors, np.float32)
        coder.train(given)
        self.codes: npt.NDArray[np.uint8] = coder.compute_codes(given)
        self.decoded: Vectors = np.asarray(coder.decode(self.codes), np.float32)

    @property
    def bytes_a_vector(self) -> int:
        return int(self.codes.shape[1])
