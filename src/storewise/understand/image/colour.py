"""What colours a product has: a joint histogram in CIELAB of what stands out from the photo's background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import config_hash
from storewise.core.errors import DataError, LimitExceeded
from storewise.core.progress import Progress, Silent
from storewise.understand.base import Encoder, Vectors, unit
from storewise.understand.image import pixels
from storewise.understand.image.decode import PhotoLimits, decode

VERSION = 1
FOREGROUND_DISTANCE = 8.0  # CIE76 difference from the background, in units of L* (2.3 is just noticeable)
LEAST_FOREGROUND = 0.02  # of all pixels; below it everything counts, as for white shoes on white
REACH = 80.0  # a* and b* beyond ±80 fall into the outermost bins
_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                    [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


class ColourConfig(PhotoLimits):
    """``side``: pixels of the square in which colours are counted. Bins of lightness, and of each of a* and b*."""

    side: int = Field(default=40, ge=8, le=512)
    lightness_bins: int = Field(default=8, ge=2, le=32)
    hue_bins: int = Field(default=9, ge=3, le=32)


class ColourHistogram(Encoder[ColourConfig, bytes | None]):
    """Square roots of the shares of colours (so that a dot product is the Bhattacharyya coefficient): no network,
    no weights, only Pillow. A pixel is shared linearly between neighbouring bins, so that light a shade brighter
    moves a vector a little and not by a whole bin."""

    Config = ColourConfig

    @property
    def dimensions(self) -> int:
        return self.config.lightness_bins * self.config.hue_bins**2

    @property
    def fingerprint(self) -> str:
        return f"colour-{config_hash([VERSION, self.config.model_dump(mode='json')])}"

    def __call__(self, batch: Sequence[bytes | None], *, progress: Progress | None = None) -> Vectors:
        """(len(batch), dimensions) float32. No photo, and one that cannot be read, gives a zero row."""
        out = np.zeros((len(batch), self.dimensions), np.float32)
        for row, data in enumerate((progress or Silent()).track(batch, label="counting colours")):
            if data:
                out[row] = self._row(data)
        return unit(out)

    def _row(self, data: bytes) -> npt.NDArray[np.float64]:
        config = self.config
        try:
            photo = decode(data, limits=config, near_side=config.side)
        except (DataError, LimitExceeded):
            return np.zeros(self.dimensions)
        lab = foreground(pixels.square(photo, config.side))
        return np.sqrt(histogram(lab, config.lightness_bins, config.hue_bins))


def to_lab(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(…, 3) sRGB bytes → CIELAB (D65), IEC 61966-2-1 and CIE 15.

    >>> to_lab(np.array([255, 255, 255], np.uint8)).round(2).tolist()[0]
    100.0
    """
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)[rgb]
    relative = linear @ _TO_XYZ.T / _WHITE
    root = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def foreground(square: pixels.Pixels) -> npt.NDArray[np.float64]:
    """(m, 3) CIELAB of the pixels that differ from the median colour of the border; all where too few do."""
    lab = to_lab(square).reshape(-1, 3)
    behind = to_lab(pixels.background(square))
    apart = np.linalg.norm(lab - behind, axis=1) > FOREGROUND_DISTANCE
    return lab[apart] if apart.mean() >= LEAST_FOREGROUND else lab


def histogram(lab: npt.NDArray[np.float64], lightness_bins: int, hue_bins: int) -> npt.NDArray[np.float64]:
    """(lightness_bins · hue_bins²,) shares that sum to 1, trilinear between bin centres."""
    sizes = np.array([lightness_bins, hue_bins, hue_bins])
    low, high = np.array([0.0, -REACH, -REACH]), np.array([100.0, REACH, REACH])
    place = (np.clip(lab, low, high) - low) / (high - low) * (sizes - 1)
    below = np.minimum(place.astype(np.int64), sizes - 2)
    above_share = place - below
    total = np.zeros(int(sizes.prod()))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(np.array(corner) == 1, above_share, 1 - above_share), axis=1)
        cell = np.ravel_multi_index(tuple((below + corner).T), tuple(sizes))
        total += np.bincount(cell, weight, minlength=len(total))
    return total / total.sum()
