"""Colours: known values of CIELAB, shares that sum to one, and the product rather than its background."""

from __future__ import annotations

import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs pillow (extra vision)")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from storewise.understand.image.colour import ColourHistogram, foreground, histogram, to_lab  # noqa: E402


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # published values for sRGB under D65
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_cielab(rgb, lab):
    np.testing.assert_allclose(to_lab(np.array(rgb, np.uint8)), lab, atol=0.02)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(3, 9))
def test_shares_sum_to_one_and_keep_the_mean(seed, lightness_bins, hue_bins):
    lab = np.random.default_rng(seed).uniform((0, -80, -80), (100, 80, 80), (30, 3))
    shares = histogram(lab, lightness_bins, hue_bins)
    assert shares.sum() == pytest.approx(1)
    assert shares.min() >= 0
    centres = np.linspace(0, 100, lightness_bins)
    by_lightness = shares.reshape(lightness_bins, -1).sum(axis=1)
    assert by_lightness @ centres == pytest.approx(lab[:, 0].mean())  # linear shares keep the mean


def photo(colour, ground=(255, 255, 255), share=0.5):
    image = Image.new("RGB", (80, 80), ground)
    half = int(40 * share)
    image.paste(colour, (40 - half, 40 - half, 40 + half, 40 + half))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_the_background_does_not_count():
    encode = ColourHistogram()
    found = encode(
        [
            photo((200, 0, 0)),
            photo((200, 0, 0), (240, 240, 210)),
            photo((0, 0, 200)),
            photo((200, 0, 0), share=0.8),
        ]
    )
    likeness = found @ found.T
    assert likeness[0, 1] > 0.98
    assert likeness[0, 3] > 0.95
    assert likeness[0, 2] < 0.1


def test_a_product_as_white_as_its_background_is_white():
    assert len(foreground(np.full((16, 16, 3), 250, np.uint8))) == 256
    assert ColourHistogram()([photo((255, 255, 255))]).any()
