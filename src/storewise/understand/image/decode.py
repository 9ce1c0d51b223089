"""Bytes from outside to an upright RGB photo, or a reason why not. No file stops a batch.

What is declared: JPEG, PNG and WebP only, whatever the name says; the first frame of an animation; turned as its
EXIF says; CMYK, grey, palette and 16-bit become 8-bit RGB; transparent parts become white.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from pydantic import Field

from storewise.core.config import Config
from storewise.core.errors import DataError, LimitExceeded, MissingExtra, StorewiseError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP")
WHITE = (255, 255, 255)


class PhotoLimits(Config):
    """What a photo may be. ``max_bytes``: of the file. ``max_pixels``: width × height as the header gives them,
    checked before anything is unpacked. ``min_side_pixels``: a smaller one shows nothing (tracking pixels)."""

    max_bytes: int = Field(default=20_000_000, ge=1)
    max_pixels: int = Field(default=50_000_000, ge=1)
    min_side_pixels: int = Field(default=8, ge=1)


def decode(data: bytes, *, limits: PhotoLimits | None = None, near_side: int | None = None) -> Image.Image:
    """An upright 8-bit RGB photo.

    ``near_side``: a JPEG far larger than this may be unpacked at a fraction of its size (never below it), which
    is several times faster.

    Raises:
        LimitExceeded: more bytes or pixels than allowed, or a side below the least.
        DataError: when it is no JPEG, PNG or WebP, or a damaged one.
        MissingExtra: without Pillow.
    """
    bounds = limits or PhotoLimits()
    if len(data) > bounds.max_bytes:
        raise LimitExceeded(
            f"The photo has {len(data):,} bytes, the limit is {bounds.max_bytes:,}.",
            next_step="Shrink it, or raise max_bytes.",
        )
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("pillow", "vision") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large sizes and odd metadata: both are judged here
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _check_size(opened.size, bounds)
                if near_side:
                    opened.draft("RGB", (near_side, near_side))
                return _upright_rgb(opened)
        except StorewiseError:
            raise
        except Image.DecompressionBombError as error:
            raise LimitExceeded(
                f"The photo unpacks to more than {bounds.max_pixels:,} pixels.", next_step="Shrink it."
            ) from error
        except Image.UnidentifiedImageError as error:
            raise DataError(
                f"The file is {_kind(data)}, not a JPEG, PNG or WebP.", next_step="Save it as one of these."
            ) from error
        except Exception as error:  # a decoder of foreign bytes may raise anything
            raise DataError(
                f"The photo is damaged ({error}).", next_step="Export or download it again."
            ) from error


def reason(error: StorewiseError) -> str:
    """A short name to count by.

    >>> reason(LimitExceeded("x", next_step="y"))
    'over the limit'
    """
    if isinstance(error, LimitExceeded):
        return "over the limit"
    return "damaged" if "damaged" in error.problem else "not a photo"


def _check_size(size: tuple[int, int], limits: PhotoLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise LimitExceeded(
            f"The photo has {width} × {height} pixels, the limit is {limits.max_pixels:,} in all.",
            next_step="Shrink it, or raise max_pixels.",
        )
    if min(width, height) < limits.min_side_pixels:
        raise LimitExceeded(
            f"The photo has {width} × {height} pixels, a side needs at least {limits.min_side_pixels}.",
            next_step="Give a larger photo, or lower min_side_pixels.",
        )


def _upright_rgb(opened: Any) -> Image.Image:
    from PIL import Image, ImageOps

    opened.load()
    photo = ImageOps.exif_transpose(opened)
    if photo.mode.startswith("I") or photo.mode == "F":  # 16 bits: Pillow would cut them off, not scale them
        photo = photo.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if photo.mode in ("RGBA", "LA", "PA") or "transparency" in photo.info:
        over = photo.convert("RGBA")
        flat = Image.new("RGB", over.size, WHITE)
        flat.paste(over, mask=over.getchannel("A"))
        return flat
    return photo.convert("RGB")


def _kind(data: bytes) -> str:
    """What a file that is no photo looks like."""
    if not data:
        return "empty"
    known = {b"%PDF": "a PDF", b"GIF8": "a GIF", b"PK\x03\x04": "a ZIP archive", b"II*\x00": "a TIFF", b"MM\x00*": "a TIFF",
             b"BM": "a BMP"}  # fmt: skip
    if data.lstrip()[:1] == b"<":
        return "HTML, SVG or XML text"
    return next((name for magic, name in known.items() if data.startswith(magic)), "of an unknown kind")
