"""Photos of a shop's products, found in a folder by name, as vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.data.stores.vectors import VectorCache
from storewise.engine.reading import encode_cached
from storewise.understand.base import Encoder, TextEncoder, Vectors


def photo_vectors(
    products: pl.DataFrame,
    folder: Path,
    name: str,
    config: Mapping[str, Any],
    registry: Registry,
    *,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> tuple[Vectors, str]:
    """(n, p) vectors of the photos, zero rows for products without a readable one, and how many there were.

    Raises:
        ConfigError: when there is no such folder, or the component reads no photos.
        MissingExtra: without the extra ``vision``.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}.", next_step="Correct the path of the photos.")
    encoder = registry.create(name, config)
    if not isinstance(encoder, Encoder) or isinstance(encoder, TextEncoder):
        raise ConfigError(f"{name} reads no photos.", next_step="Name an encoder of photos.")
    images = products["image"] if "image" in products.columns else [None] * products.height
    files = [_photo(folder, one, image) for one, image in zip(products["product_id"], images, strict=True)]
    vectors, _ = encode_cached(
        encoder, [file and file.read_bytes() for file in files], cache, progress=progress
    )
    found = int(np.abs(vectors).sum(axis=1).astype(bool).sum())
    return vectors, f"{found:,} of {len(files):,} products have a photo that {name} can read"


def _photo(folder: Path, product_id: str, image: str | None) -> Path | None:
    """The photo of a product: the last part of its ``image``, or a file named by its id."""
    names = [Path(image).name] if image else []
    names += [f"{product_id}{ending}" for ending in (".jpg", ".jpeg", ".png", ".webp")]
    # A name that leads out of the folder is none.
    inside = (folder / name for name in names if Path(name).name == name)
    return next((file for file in inside if file.is_file()), None)
