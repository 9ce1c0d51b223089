"""The contract of encoders, of text and of photos, as a suite that a plug-in's own tests can call.

>>> import numpy as np
>>> from storewise.core.config import Config
>>> from storewise.understand.base import Encoder, unit
>>> class Lengths(Encoder[Config, str]):
...     Config = Config
...     dimensions, fingerprint = 2, "lengths-1"
...     def __call__(self, batch):
...         return unit(np.array([[len(t.strip()), len(t.split())] for t in batch], np.float32).reshape(-1, 2))
>>> check_encoder(lambda: Lengths(), TEXTS, EMPTY_TEXTS)
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from storewise.understand.base import Encoder, Vectors

Make = Callable[[], Encoder[Any, Any]]
TEXTS = (
    "Red running shoes",
    "Steel bottle 1 L",
    "不锈钢保温杯 1升",
    "Kettle, 1.7 l",
    "a",
    "🧦 socks",
    "Lamp " * 40,
)
EMPTY_TEXTS = ("", "  \n\t")
EMPTY_PHOTOS = (None, b"", b"%PDF-1.7 not a photo", b"\xff\xd8\xff\xe0 cut off")
ATOL = 2e-5  # sums in another order
MANY = 70  # more than one batch of any encoder


def photos(seed: int = 0, n: int = 6) -> list[bytes]:
    """PNG files: blocks of colour of several sizes and proportions."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        blocks = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        size = (int(rng.integers(20, 90)), int(rng.integers(20, 90)))
        file = io.BytesIO()
        Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(
            file, "PNG" if number % 2 else "WEBP"
        )
        found.append(file.getvalue())
    return found


def check_encoder(
    make: Make, items: Sequence[Any], empty: Sequence[Any], *, other: Make | None = None
) -> None:
    """Run every check below. ``items``: at least 5, all different; ``empty``: what has no content.

    ``other``: makes the same encoder with a config that changes vectors.

    Raises:
        AssertionError: naming the broken promise.
    """
    encoder = make()
    found = check_shape(encoder, items)
    check_empty(encoder, items, empty)
    check_batches(encoder, items, found)
    check_repeatable(make, encoder, items, found)
    if other is not None:
        assert other().fingerprint != encoder.fingerprint, "another config has the same fingerprint"


def check_shape(encoder: Encoder[Any, Any], items: Sequence[Any]) -> Vectors:
    """(n, dimensions) float32 of unit rows, and no rows for no items."""
    found = encoder(list(items))
    assert found.shape == (len(items), encoder.dimensions), f"vectors have shape {found.shape}"
    assert found.dtype == np.float32, f"vectors are {found.dtype}, not float32"
    assert np.isfinite(found).all(), "vectors hold NaN or infinity"
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-4, err_msg="rows are not unit")
    nothing = encoder([])
    assert nothing.shape == (0, encoder.dimensions), f"no items give shape {nothing.shape}"
    assert nothing.dtype == np.float32, f"no items give {nothing.dtype}"
    return found


def check_empty(encoder: Encoder[Any, Any], items: Sequence[Any], empty: Sequence[Any]) -> None:
    """What has no content gives a zero row, alone and among others."""
    assert not encoder(list(empty)).any(), "an item without content has a vector"
    mixed = encoder([*empty, items[0], *empty])
    assert mixed[len(empty)].any(), "an item among empty ones lost its vector"
    assert not np.delete(mixed, len(empty), axis=0).any(), "an empty item took another one's vector"


def check_batches(encoder: Encoder[Any, Any], items: Sequence[Any], found: Vectors) -> None:
    """A row depends on its own item alone: not on the batch, its size or its order."""
    alone = np.concatenate([encoder([item]) for item in items])
    np.testing.assert_allclose(alone, found, atol=ATOL, err_msg="a batch of one differs")
    order = np.random.default_rng(0).permutation(len(items))
    turned = encoder([items[i] for i in order])
    np.testing.assert_allclose(turned, found[order], atol=ATOL, err_msg="order matters")
    times = -(-MANY // len(items))
    many = encoder([*items] * times)
    np.testing.assert_allclose(many, np.tile(found, (times, 1)), atol=ATOL, err_msg="a large batch differs")


def check_repeatable(make: Make, encoder: Encoder[Any, Any], items: Sequence[Any], found: Vectors) -> None:
    """A second encoder of the same config has the same fingerprint and gives the same vectors."""
    again = make()
    assert again.fingerprint == encoder.fingerprint, "the fingerprint changes from one to the next"
    assert encoder.fingerprint, "the fingerprint is empty"
    assert again.dimensions == encoder.dimensions, "dimensions change from one to the next"
    np.testing.assert_allclose(again(list(items)), found, atol=1e-6, err_msg="vectors change")
