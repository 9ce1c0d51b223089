"""Blocks, views and their fusion; products without a photo or a text are a normal input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.understand.labels import fusion, views
from storewise.understand.labels.blocks import LOUDNESS, Block, apply, fit, side_by_side


def some(n=200, d=5, seed=0):
    return np.random.default_rng(seed).normal(2, 3, (n, d)).astype(np.float32)


@pytest.mark.parametrize("each", [True, False])
def test_a_block_is_centred_and_as_loud_as_any_other(each):
    for d in (3, 70):
        block = Block("b", some(d=d) * 100, each=each)
        found = apply(block, fit(block, np.arange(200)))
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
        assert np.sqrt((found**2).sum(axis=1).mean()) == pytest.approx(LOUDNESS, rel=0.01)
        if each:
            np.testing.assert_allclose(found.std(axis=0), LOUDNESS / np.sqrt(d), rtol=1e-3)


def test_a_missing_row_is_zero_and_flagged_and_teaches_no_mean():
    vectors = some()
    whole = Block("b", vectors.copy(), each=True)
    vectors[50:] = 0
    holed = Block("b", vectors, each=True)
    np.testing.assert_allclose(fit(holed, np.arange(200)).mean, fit(whole, np.arange(50)).mean, rtol=1e-5)
    found = side_by_side([holed], np.arange(200))
    assert found.shape == (200, 6)
    assert found[:, 5].tolist() == [0.0] * 50 + [1.0] * 150
    assert not found[50:, :5].any()


def test_a_column_that_never_moves_does_not_explode():
    vectors = some()
    vectors[:, 2] = 1.0
    block = Block("b", vectors.copy(), each=True)
    scale = fit(block, np.arange(100))
    vectors[150, 2] = 1.5
    assert np.abs(apply(Block("b", vectors, each=True), scale)).max() < 100


def test_scales_come_from_the_rows_given_alone():
    one, other = some(), some()
    other[100:] *= 50
    left, right = (fit(Block("b", v), np.arange(100)) for v in (one, other))
    np.testing.assert_array_equal(left.mean, right.mean)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_late_fusion_is_a_distribution_and_equal_views_agree_with_themselves(seed, n_views):
    rng = np.random.default_rng(seed)
    parts = [np.log(rng.dirichlet(np.ones(4), 6)) for _ in range(n_views)]
    present = [rng.random(6) < 0.6 for _ in range(n_views)]
    weights = rng.dirichlet(np.ones(n_views))
    found = fusion.late(parts, present, weights)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)
    same = fusion.late([parts[0]] * n_views, present, weights)
    np.testing.assert_allclose(same, parts[0], atol=1e-5)


def test_who_is_absent_has_no_say_and_a_view_of_weight_nothing_answers_alone():
    a, b = np.log([[0.9, 0.1]] * 3), np.log([[0.2, 0.8]] * 3)
    here = np.array([True, True, False])
    found = np.exp(fusion.late([a, b], [here, np.array([True, False, True])], [1.0, 0.0]))
    np.testing.assert_allclose(found, [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]], atol=1e-6)


def test_weights_are_found_on_validation():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 500)
    good = np.log(np.eye(3)[truth] * 0.7 + 0.1)
    noise = np.log(rng.dirichlet(np.ones(3) * 0.3, 500) + 1e-6)
    there = [np.ones(500, bool)] * 2
    weights = fusion.choose_weights([noise, good], there, truth)
    assert weights[1] > 0.5
    told = fusion.late([noise, good], there, weights)
    assert (told.argmax(axis=1) == truth).mean() == 1.0


def two_sided(n=600, seed=0):
    """Four classes: text tells one half of the difference, the photo the other; a fifth of photos is missing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    text = np.stack([y // 2 * 2 - 1, np.zeros(n)], axis=1) + rng.normal(0, 0.3, (n, 2))
    photo = np.stack([y % 2 * 2 - 1, np.zeros(n)], axis=1) + rng.normal(0, 0.3, (n, 2))
    photo[rng.random(n) < 0.2] = 0
    return Block("text", text.astype(np.float32)), Block("photo", photo.astype(np.float32)), y


def test_views_and_their_fusion_on_products_some_without_a_photo():
    text, photo, y = two_sided()
    parts = views.Parts(np.arange(300), np.arange(300, 400), np.arange(400, 600))
    names = ("ridge", "logistic")
    told = [
        views.learn(n, [b], y, 4, parts, seed=0, names=names) for n, b in (("text", text), ("photo", photo))
    ]
    both = views.fuse(
        "both", [*told, views.learn("joint", [text, photo], y, 4, parts, seed=0, names=names)], y, parts
    )
    truth, pictured = y[parts.test], photo.present[parts.test]
    right = both.test.argmax(axis=1) == truth
    assert right[pictured].mean() > 0.95
    assert 0.3 < right[~pictured].mean() < 0.75
    assert (told[0].test.argmax(axis=1) == truth).mean() < 0.7
    assert both.validation_accuracy(y[parts.validation]) >= told[0].validation_accuracy(y[parts.validation])


def test_the_test_part_does_not_change_what_is_learned():
    text, photo, y = two_sided()
    parts = views.Parts(np.arange(300), np.arange(300, 400), np.arange(400, 600))
    one = views.learn("v", [text, photo], y, 4, parts, seed=0, names=("logistic",))
    other_y = y.copy()
    other_y[400:] = 0
    other = views.learn("v", [text, photo], other_y, 4, parts, seed=0, names=("logistic",))
    np.testing.assert_array_equal(one.test, other.test)
