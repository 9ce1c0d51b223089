"""Vectors that an encoder has made, by the encoder's fingerprint and the hash of what it read.

Only what changed is encoded again: a product whose text is the same finds its vector here, and another model or
another setting is another fingerprint. Rows are float32 as bytes, so that any database holds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from storewise.data.stores.tables import VECTORS

CHUNK = 500  # hashes in one question; databases limit the number of parameters
Vectors = npt.NDArray[np.float32]


def content_hash(content: str | bytes | None) -> str:
    """The key of a text or a photo. A text and a file of the same bytes are different things.

    >>> content_hash("red cup") == content_hash(b"red cup")
    False
    """
    kind = b"t" if isinstance(content, str) else b"b"
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else (content or b"")
    return hashlib.blake2b(kind + raw, digest_size=16).hexdigest()


class VectorCache:
    """The vectors of one store. ``read`` and ``write`` open a connection each."""

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[sa.Connection]],
        write: Callable[[], AbstractContextManager[sa.Connection]],
    ) -> None:
        self._read, self._write = read, write

    def get(self, model: str, keys: Sequence[str]) -> dict[str, Vectors]:
        """The vectors that are there, by key."""
        found: dict[str, Vectors] = {}
        wanted = list(dict.fromkeys(keys))
        with self._read() as connection:
            for start in range(0, len(wanted), CHUNK):
                part = wanted[start : start + CHUNK]
                query = sa.select(VECTORS.c.content, VECTORS.c.vector).where(
                    VECTORS.c.model == model, VECTORS.c.content.in_(part)
                )
                for key, raw in connection.execute(query):
                    found[key] = np.frombuffer(raw, np.float32)
        return found

    def put(self, model: str, keys: Iterable[str], vectors: Vectors) -> None:
        """Keep vectors (n, d), one for each key; a key that is there already is replaced."""
        rows = {key: np.ascontiguousarray(row, np.float32).tobytes()
                for key, row in zip(keys, vectors, strict=True)}  # fmt: skip
        names = list(rows)
        with self._write() as connection:
            for start in range(0, len(names), CHUNK):
                part = names[start : start + CHUNK]
                connection.execute(
                    sa.delete(VECTORS).where(VECTORS.c.model == model, VECTORS.c.content.in_(part))
                )
                connection.execute(
                    sa.insert(VECTORS),
                    [{"model": model, "content": key, "vector": rows[key]} for key in part],
                )
