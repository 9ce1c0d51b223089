"""A photo as a square block of numbers: its proportions are kept, the rest is filled with its own background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]


def square(photo: Image.Image, side: int) -> Pixels:
    """(side, side, 3) uint8: the longer side fills the square, the shorter one is centred.

    What is left over takes the median colour of the photo's border, so that no edge appears where the product
    stands before a plain background.
    """
    from PIL import Image

    scale = side / max(photo.size)
    width, height = (max(1, round(length * scale)) for length in photo.size)
    inner = np.asarray(photo.resize((width, height), Image.Resampling.BICUBIC))
    out = np.empty((side, side, 3), np.uint8)
    out[:] = background(inner)
    top, left = (side - height) // 2, (side - width) // 2
    out[top : top + height, left : left + width] = inner
    return out


def background(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """(3,) the median colour of the outermost rows and columns.

    >>> background(np.full((4, 4, 3), 7, np.uint8)).tolist()
    [7, 7, 7]
    """
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.median(edge, axis=0).astype(np.uint8)


def tensor(
    squares: npt.NDArray[np.uint8], mean: tuple[float, ...], scale: tuple[float, ...]
) -> npt.NDArray[np.float32]:
    """(n, side, side, 3) uint8 → (n, 3, side, side) float32: ``(pixel - mean) / scale`` in units of 0 to 255."""
    centred = (squares.astype(np.float32) - np.float32(mean)) / np.float32(scale)
    return np.ascontiguousarray(centred.transpose(0, 3, 1, 2))


def pooled(maps: npt.NDArray[np.float32], grid: int) -> npt.NDArray[np.float32]:
    """(n, c, h, w) → (n, c · grid²): the mean of each of grid × grid places; other shapes are flattened.

    >>> pooled(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2), 1).tolist()
    [[1.5]]
    >>> pooled(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2), 2).tolist()
    [[0.0, 1.0, 2.0, 3.0]]
    """
    if maps.ndim != 4:
        return maps.reshape(len(maps), -1)
    # Places may share a row or column where the map does not divide evenly, and none is empty.
    rows, columns = (_places(length, grid) for length in maps.shape[2:])
    means = [maps[:, :, r, c].mean(axis=(2, 3)) for r in rows for c in columns]
    return np.stack(means, axis=2).reshape(len(maps), -1)


def _places(length: int, grid: int) -> list[slice]:
    starts = np.floor(np.arange(grid) * length / grid).astype(int)
    ends = np.ceil(np.arange(1, grid + 1) * length / grid).astype(int)
    return [slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
