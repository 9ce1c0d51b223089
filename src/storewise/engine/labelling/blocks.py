"""What a labeller sees of products: blocks of vectors from their texts and, where there are any, their photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from storewise.core.errors import ConfigError, DataError, MissingExtra, UnknownName
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.data.stores.vectors import VectorCache
from storewise.engine.content import TFIDF, automatic
from storewise.engine.photos import photo_vectors
from storewise.engine.reading import encode_cached, product_texts
from storewise.understand.base import TextEncoder
from storewise.understand.labels.blocks import Block, compressed
from storewise.understand.text.tfidf import TfidfSvd

NETWORKS = ("encode.efficientnet_lite0.v1", "encode.mobilenet.v1")  # the first that is installed
COLOURS = "encode.colour_histogram.v1"
PHOTO_SIZE = 256  # of the axes kept of a network's features


def make_views(
    products: pl.DataFrame,
    column: str,
    registry: Registry,
    *,
    photos: Path | None,
    encoder: str = "auto",
    cache: VectorCache | None,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, list[Block]], list[str]]:
    """Blocks of text (word statistics, and the pretrained encoder for the language where it is installed) and photo,
    and notes. ``encoder``: another one by name, "none" for word statistics alone. ``column`` itself is not read: it is
    missing where it has to be foretold.

    Raises:
        ConfigError: when there is no folder ``photos``, or the encoder reads no text.
        DataError: when there is neither a text nor a readable photo.
    """
    views: dict[str, list[Block]] = {}
    notes: list[str] = []
    texts = product_texts(products, without=column)
    if any(text.strip() for text in texts):
        views["text"] = _texts(texts, registry, encoder, notes, cache=cache, seed=seed, progress=progress)
    if photos is not None:
        views["photo"] = _photos(products, photos, registry, notes, cache=cache, seed=seed, progress=progress)
    views = {name: blocks for name, blocks in views.items() if any(block.present.any() for block in blocks)}
    if not views:
        raise DataError(
            "The products have no text to learn from.", next_step="Give titles, or a folder of photos."
        )
    return views, notes


def _texts(
    texts: list[str], registry: Registry, wanted: str, notes: list[str], *, cache: VectorCache | None, seed: int,
    progress: Progress,
) -> list[Block]:  # fmt: skip
    words = TfidfSvd()
    words.train(texts, rng=spawn(seed, "labels", TFIDF))
    found = [Block("tfidf_svd", words(texts))]
    name, why = automatic(texts) if wanted == "auto" else (wanted, "")
    if name == TFIDF:
        notes.append(f"word statistics alone: {why}")
    if name in (TFIDF, "none"):
        return found
    encoder = registry.create(name)
    if not isinstance(encoder, TextEncoder):
        raise ConfigError(f"{name} is no text encoder.", next_step="Name one of role encode that reads text.")
    found.append(Block(name.split(".")[1], encode_cached(encoder, texts, cache, progress=progress)[0]))
    return found


def _photos(
    products: pl.DataFrame, folder: Path, registry: Registry, notes: list[str], *, cache: VectorCache | None,
    seed: int, progress: Progress,
) -> list[Block]:  # fmt: skip
    found: list[Block] = []
    for name in (*NETWORKS, COLOURS):
        if found and name in NETWORKS:
            continue
        try:
            vectors, told = photo_vectors(
                products, folder, name, {}, registry, cache=cache, progress=progress
            )
        except (MissingExtra, UnknownName) as error:
            notes.append(f"{name} is not used: {error.problem}")
            continue
        notes.append(told)
        block = Block(name.split(".")[1], vectors, each=name in NETWORKS)
        if name in NETWORKS:
            rows = np.flatnonzero(block.present)
            if len(rows) > 1:
                block = compressed(block, rows, PHOTO_SIZE, rng=spawn(seed, "labels", name))
        found.append(block)
    return found
