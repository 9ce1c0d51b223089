"""Filling a column: thresholds against a slow reference, rows that must not leak, answers that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.understand.labels.blocks import Block
from storewise.understand.labels.fill import (
    RARE,
    UNKNOWN,
    FillConfig,
    fill,
    three_parts,
    threshold,
)


def shop(n: int, *, classes: int = 3, known: float = 0.6, noise: float = 0.3) -> tuple[Block, ...]:
    rng = np.random.default_rng(5)
    truth = rng.integers(classes, size=n)
    centres = rng.standard_normal((classes, 8))
    vectors = (centres[truth] + noise * rng.standard_normal((n, 8))).astype(np.float32)
    y = np.where(rng.random(n) < known, truth, UNKNOWN)
    return Block("text", vectors), truth, y  # type: ignore[return-value]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), max_size=25),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_threshold_is_the_least_that_is_precise(rows: list[tuple[float, bool]], precision: float) -> None:
    sure, right = np.array([s for s, _ in rows]), np.array([r for _, r in rows], bool)
    good = [t for t in set(sure.tolist()) if right[sure >= t].sum() / ((sure >= t).sum() + 1) >= precision]
    assert threshold(sure, right, precision) == min(good, default=np.inf)


def test_answers_are_right_and_unlabelled_rows_alone_get_one() -> None:
    block, truth, y = shop(300)
    found = fill({"text": [block]}, y, 3)
    assert (y[found.rows] == UNKNOWN).all()
    assert len(found.rows) == (y == UNKNOWN).sum()
    given_ = found.classes != UNKNOWN
    assert given_.mean() > 0.5
    assert (found.classes[given_] == truth[found.rows][given_]).mean() > 0.9
    assert (found.confidence[given_] >= found.threshold).all()
    assert found.held_right[found.held_answered].mean() > 0.85


def test_labels_without_a_pattern_stay_unknown() -> None:
    block, _, y = shop(200)
    rng = np.random.default_rng(0)
    y = np.where(y == UNKNOWN, UNKNOWN, rng.integers(3, size=len(y)))
    found = fill({"text": [block]}, y, 3)
    assert (found.classes == UNKNOWN).mean() > 0.9


def test_rare_values_count_against_the_threshold() -> None:
    """A third of the labelled products are of classes that no answer can name: sure answers there are errors."""
    block, _, y = shop(600, classes=3, known=0.7, noise=0.2)
    rng = np.random.default_rng(1)
    odd = rng.random(len(y)) < 0.4  # the same vectors, another value
    rare = np.where(odd & (y != UNKNOWN), RARE, y)
    config = FillConfig(precision=0.9)
    assert np.isfinite(fill({"text": [block]}, y, 3, config=config).threshold)
    found = fill({"text": [block]}, rare, 3, config=config)
    assert (found.classes == UNKNOWN).mean() > 0.9
    assert 0.4 < found.held_right.mean() < 0.8


def test_views_join_and_a_missing_photo_does_no_harm() -> None:
    block, truth, y = shop(150)
    photo = Block("photo", block.vectors[:, ::-1].copy())
    photo.vectors[::3] = 0
    found = fill({"text": [block], "photo": [photo]}, y, 3)
    given_ = found.classes != UNKNOWN
    assert (found.classes[given_] == truth[found.rows][given_]).mean() > 0.9


def test_nothing_missing_is_fine() -> None:
    block, truth, _ = shop(120)
    found = fill({"text": [block]}, truth, 3)
    assert len(found.rows) == len(found.classes) == 0
    assert found.held_right.mean() > 0.9


def test_too_little_is_an_error() -> None:
    block, _, _ = shop(60)
    with pytest.raises(DataError, match="1 classes"):
        fill({"text": [block]}, np.zeros(60, np.int64), 1)
    few = np.full(60, UNKNOWN)
    few[:6], few[6:8] = 0, 1
    with pytest.raises(DataError, match="the rarest with 2"):
        fill({"text": [block]}, few, 2)


def test_parts_are_apart_and_hold_every_class() -> None:
    _, _, y = shop(90)
    parts = three_parts(y, seed=0)
    every = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(every.tolist()) == np.flatnonzero(y >= 0).tolist()
    for part in (parts.train, parts.validation, parts.test):
        assert set(y[part].tolist()) == {0, 1, 2}
