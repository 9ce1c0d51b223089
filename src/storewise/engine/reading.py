"""Products as texts, and texts (or photos) as vectors, of which only those that the store does not know are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from storewise.core.progress import Progress, Silent
from storewise.data.stores.vectors import VectorCache, content_hash
from storewise.understand.base import Encoder, Vectors

CHUNK = 2_000  # texts that are encoded and kept at a time, so that a run that dies loses little
READ = ("title", "brand", "category", "description")


def product_texts(products: pl.DataFrame, *, without: str | None = None) -> list[str]:
    """One text a product: title, brand, category and description, as far as there are any, but the column
    ``without``.

    >>> product_texts(pl.DataFrame({"product_id": ["a"], "title": ["Red cup"], "category": [None]}))
    ['Red cup']
    """
    columns = [name for name in READ if name in products.columns and name != without]
    if not columns:
        return [""] * products.height
    joined = products.select(pl.concat_str(columns, separator=". ", ignore_nulls=True).fill_null(""))
    return joined.to_series().to_list()


def encode_cached(
    encoder: Encoder[Any, Any],
    texts: Sequence[Any],
    cache: VectorCache | None,
    *,
    progress: Progress | None = None,
) -> tuple[Vectors, int]:
    """(n, d) vectors of texts (or photos), and how many had to be encoded; equal ones are encoded once."""
    keys = [content_hash(text) for text in texts]
    known = cache.get(encoder.fingerprint, keys) if cache is not None else {}
    todo = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    names = list(todo)
    for start in (progress or Silent()).track(range(0, len(names), CHUNK), label="reading products"):
        part = names[start : start + CHUNK]
        made = encoder([todo[key] for key in part])
        if cache is not None:
            cache.put(encoder.fingerprint, part, made)
        known.update(zip(part, made, strict=True))
    found = np.zeros((len(texts), encoder.dimensions), np.float32)
    for row, key in enumerate(keys):
        found[row] = known[key]
    return found, len(names)
