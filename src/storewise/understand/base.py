"""The encoder's contract: a batch of products' texts or photos becomes rows of float32."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config

Vectors = npt.NDArray[np.float32]
"""(n, d) float32; a row has length 1, or is all zeros where there was nothing to encode."""

ConfigT = TypeVar("ConfigT", bound=Config)
ItemT = TypeVar("ItemT")


class Encoder(Component[ConfigT], Generic[ConfigT, ItemT]):
    """Turns a batch into unit vectors.

    A row depends on its own item and the model alone, never on the rest of the batch. An item without content
    (an empty text, no image) is a normal input: its row is zero, so that it is similar to nothing.
    ``ItemT`` is ``str`` for text and ``bytes | None`` for photos (a JPEG, PNG or WebP file as it is).
    """

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and whatever else changes a vector: the model half of a cache key."""

    @abstractmethod
    def __call__(self, batch: Sequence[ItemT]) -> Vectors:
        """(len(batch), dimensions) float32, rows of length 1 or 0."""


class TextEncoder(Encoder[ConfigT, str]):
    """An encoder of text. Some models want to know whether a text asks or answers."""

    def queries(self, batch: Sequence[str]) -> Vectors:
        """(len(batch), dimensions) float32 for texts that ask (a shopper's words); products are ``__call__``."""
        return self(batch)


def unit(vectors: npt.ArrayLike) -> Vectors:
    """Rows scaled to length 1; rows without length stay zero.

    >>> unit([[3.0, 4.0], [0.0, 0.0]]).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    found = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    scaled: Vectors = np.divide(found, length, out=np.zeros_like(found), where=length > 1e-12)
    return scaled
