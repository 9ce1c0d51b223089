"""Photos as squares: proportions kept, the rest filled with the photo's own background."""

from __future__ import annotations

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs pillow (extra vision)")

from storewise.understand.image import pixels  # noqa: E402


@pytest.mark.parametrize("size", [(60, 80), (80, 60), (400, 30), (9, 9)])
def test_proportions_are_kept(size):
    photo = Image.new("RGB", size, (10, 20, 30))
    photo.paste((250, 0, 0), (size[0] // 3, size[1] // 3, 2 * size[0] // 3, 2 * size[1] // 3))
    found = pixels.square(photo, 90)
    assert found.shape == (90, 90, 3)
    red = found[:, :, 0] > 128
    height, width = red.any(axis=1).sum(), red.any(axis=0).sum()
    scale = 90 / max(size)
    assert height == pytest.approx((2 * size[1] // 3 - size[1] // 3) * scale, abs=2)
    assert width == pytest.approx((2 * size[0] // 3 - size[0] // 3) * scale, abs=2)
    assert found[0, 0].tolist() == [10, 20, 30]
    assert found[-1, -1].tolist() == [10, 20, 30]


def test_tensor_is_channels_first_and_normalised():
    squares = np.zeros((2, 4, 4, 3), np.uint8)
    squares[1, 2, 3] = (127, 255, 0)
    found = pixels.tensor(squares, (127.0,) * 3, (128.0,) * 3)
    assert (found.shape, found.dtype) == ((2, 3, 4, 4), np.float32)
    assert found[1, :, 2, 3].tolist() == [0.0, 1.0, -127 / 128]
