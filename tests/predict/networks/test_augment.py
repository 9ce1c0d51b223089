"""Augmented histories keep what they must."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storewise.predict.networks.augment import Augmentation, augment, crop, mask, reorder


def histories(seed: int, n: int = 40, length: int = 9) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    rows = np.tile(np.arange(10, 10 + length), (n, 1))
    return np.where(np.arange(length)[None] < rng.integers(0, length + 1, n)[:, None], 0, rows)


@given(st.integers(0, 1000), st.floats(0.05, 0.95))
def test_crop_keeps_a_stretch_in_order_at_the_right_end(seed: int, share: float) -> None:
    rows = histories(seed)
    for before, after in zip(rows, crop(rows, share, np.random.default_rng(seed)), strict=True):
        kept, was = after[after != 0], before[before != 0]
        assert len(kept) == int(np.ceil((1 - share) * len(was)))
        assert (after[len(after) - len(kept) :] == kept).all()
        assert not len(kept) or (np.diff(kept) == 1).all()


@given(st.integers(0, 1000), st.floats(0.05, 0.95))
def test_reorder_permutes_a_stretch(seed: int, share: float) -> None:
    rows = histories(seed)
    found = reorder(rows, share, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(rows, axis=1))
    np.testing.assert_array_equal(found != 0, rows != 0)
    moved = (found != rows).sum(axis=1)
    assert (moved <= np.ceil(share * (rows != 0).sum(axis=1))).all()


def test_mask_loses_its_share() -> None:
    rows = np.ones((500, 20), np.int64)
    assert abs((mask(rows, 0.3, np.random.default_rng(1)) == 0).mean() - 0.3) < 0.03


def test_rates_and_nothing() -> None:
    rows = {"product": histories(1, n=2000), "brand": histories(1, n=2000) + 0}
    assert augment(rows, Augmentation(), np.random.default_rng(1))["product"] is rows["product"]
    found = augment(rows, Augmentation(reorder=0.5, share=0.9), np.random.default_rng(1))
    touched = (found["product"] != rows["product"]).any(axis=1)
    long = (rows["product"] != 0).sum(axis=1) > 4
    assert 0.4 < touched[long].mean() < 0.55
    np.testing.assert_array_equal(found["product"], found["brand"])  # the same events, treated alike
