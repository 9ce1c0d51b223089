"""Any file is a photo or a clear reason: never a crash, never a stop."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs pillow (extra vision)")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from storewise.core.errors import DataError, InputError, LimitExceeded  # noqa: E402
from storewise.understand.image.decode import PhotoLimits, decode  # noqa: E402


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(colour=(200, 30, 30), size=(20, 12)):
    return Image.new("RGB", size, colour)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats(kind):
    found = decode(saved(plain(), kind))
    assert (found.mode, found.size) == ("RGB", (20, 12))
    assert np.abs(np.asarray(found, int) - (200, 30, 30)).max() < 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7\n1 0 obj", "a PDF, not a JPEG"),
        (b"", "empty, not a JPEG"),
        (b"<html><body>404</body></html>", "HTML, SVG or XML"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"\x00\x01\x02\x03" * 9, "unknown kind"),
    ],
)
def test_no_photo_says_what_it_is(data, message):
    with pytest.raises(DataError, match=message):
        decode(data)


def test_other_formats_are_refused_by_name():
    with pytest.raises(DataError, match="a GIF"):
        decode(saved(plain(), "GIF"))
    with pytest.raises(DataError, match="a BMP"):
        decode(saved(plain(), "BMP"))


def test_a_cut_off_photo_is_damaged():
    whole = saved(Image.effect_noise((64, 64), 80).convert("RGB"), "JPEG")
    with pytest.raises(DataError, match="damaged"):
        decode(whole[: len(whole) // 2])


def test_a_50_mb_file_is_refused_before_it_is_read():
    with pytest.raises(LimitExceeded, match=r"50,000,000 bytes, the limit is 20,000,000"):
        decode(b"\xff\xd8\xff\xe0" + bytes(49_999_996))


def test_a_decompression_bomb_is_refused_by_its_header():
    bomb = saved(Image.new("1", (30_000, 30_000)))
    assert len(bomb) < 200_000
    with pytest.raises(LimitExceeded, match="pixels"):
        decode(bomb)
    with pytest.raises(LimitExceeded, match=r"9000 × 9000 pixels, the limit is 50,000,000"):
        decode(saved(Image.new("1", (9_000, 9_000))))


def test_a_tracking_pixel_shows_nothing():
    with pytest.raises(LimitExceeded, match="at least 8"):
        decode(saved(plain(size=(1, 1))))
    assert decode(saved(plain(size=(1, 1))), limits=PhotoLimits(min_side_pixels=1)).size == (1, 1)


def test_turned_as_its_exif_says():
    upright = plain(size=(20, 12))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(saved(upright, "JPEG", exif=exif)).size == (12, 20)


def test_cmyk_grey_palette_become_rgb():
    red = plain((255, 0, 0))
    found = np.asarray(decode(saved(red.convert("CMYK"), "JPEG")), int)
    assert np.abs(found - (255, 0, 0)).max() < 12
    assert np.ptp(np.asarray(decode(saved(red.convert("L")))), axis=2).max() == 0
    assert np.asarray(decode(saved(red.convert("P"))))[0, 0].tolist() == [255, 0, 0]


def test_16_bits_are_scaled_not_cut():
    deep = Image.fromarray(np.full((10, 10), 40_000, np.uint16))
    assert np.asarray(decode(saved(deep)))[0, 0].tolist() == [156] * 3


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    assert np.asarray(decode(saved(clear))).min() == 255


def test_an_animation_is_its_first_frame():
    frames = [plain((10, 200, 10)), plain((10, 10, 200))]
    for kind in ("WEBP", "PNG"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert np.asarray(decode(data))[5, 5].tolist() == [10, 200, 10]


def test_a_large_jpeg_may_be_unpacked_smaller_but_never_below_the_need():
    found = decode(saved(plain(size=(1600, 1200)), "JPEG"), near_side=224)
    assert 224 <= min(found.size) < 1200


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x10\0\0\0WEBP"]),
)
def test_any_bytes_are_a_photo_or_an_input_error(data, magic):
    with contextlib.suppress(InputError):
        decode(magic + data)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_one_altered_byte_is_a_photo_or_an_input_error(place, value, kind):
    data = bytearray(saved(Image.linear_gradient("L").resize((24, 24)).convert("RGB"), kind))
    data[place % len(data)] = value
    with contextlib.suppress(InputError):
        assert decode(bytes(data)).mode == "RGB"
