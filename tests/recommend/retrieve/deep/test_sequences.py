"""Windows and batches keep every event, and no batch tells a position its future."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.data.interactions import Interactions
from storewise.predict.networks.augment import Augmentation
from storewise.recommend.retrieve.deep.next_product import augmented
from storewise.recommend.retrieve.deep.sequences import Windows, padded, seen_before

HISTORIES = st.lists(st.lists(st.integers(0, 6), max_size=9), min_size=1, max_size=6)


def behaviour_of(histories):
    who = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    what = [product for history in histories for product in history]
    at = [place for history in histories for place in range(len(history))]
    return Interactions.build(who, what, at=at, n_customers=len(histories), n_products=7)


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.integers(1, 5), st.integers(1, 4))
def test_each_event_but_the_first_is_a_target_once(histories, length, size):
    windows = Windows.of(behaviour_of(histories), length)
    found = []
    for rows in windows.batches(size, np.random.default_rng(0)):
        batch = windows.batch(rows)
        assert batch.inputs.shape == batch.targets.shape
        assert batch.inputs.shape[1] <= length
        for inputs, targets, real in zip(batch.inputs, batch.targets, batch.real, strict=True):
            found += list(zip(inputs[real], targets[real], strict=True))
            assert (inputs[~real] == 7).all()
    assert sorted(found) == sorted((a, b) for h in histories for a, b in pairwise(h))


def test_seen_is_what_came_before():
    inputs = np.array([[3, 1, 3, 9], [2, 9, 9, 9]])
    rows, columns = seen_before(inputs, 9)
    told = [sorted(columns[rows == row].tolist()) for row in range(4)]
    assert told == [[3], [1, 3], [1, 3], [2]]


def test_batches_are_shuffled_anew_but_repeatably():
    windows = Windows.of(behaviour_of([[0, 1, 2]] * 40), 5)
    orders = [np.concatenate(windows.batches(8, np.random.default_rng(seed))) for seed in (0, 0, 1)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert sorted(orders[0]) == list(range(40))


def test_shuffling_stays_inside_a_history():
    windows = Windows.of(behaviour_of([[0, 1, 2, 3], [4, 5, 6]]), 9).shuffled(np.random.default_rng(1))
    parts = [windows.products[a:b] for a, b in zip(windows.start, windows.stop, strict=True)]
    assert sorted(map(sorted, parts)) == [[0, 1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("histories", [[[]], [[1]], [[], [2]]])
def test_nothing_to_learn_from(histories):
    windows = Windows.of(behaviour_of(histories), 5)
    assert len(windows) == 0
    assert windows.batches(4, np.random.default_rng(0)) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 6), min_size=2, max_size=9), min_size=1, max_size=6),
    st.sampled_from(["crop", "mask", "reorder"]),
    st.integers(0, 1000),
)
def test_augmented_sequences_hold_what_they_held(histories, how, seed):
    """A crop is a stretch of it, a mask leaves events out in order, a reordering has the same events; none is
    shorter than two events, and padding stays on the right."""
    lengths = np.array([len(h) for h in histories])
    stop = np.cumsum(lengths)
    sequences = padded(np.concatenate(histories).astype(np.int32), stop - lengths, stop, 7)
    config = Augmentation(**{how: 1.0, "share": 0.4})
    found = augmented(sequences, 7, config, np.random.default_rng(seed))
    assert found.shape == sequences.shape
    for before, row in zip(histories, found, strict=True):
        after = row[row != 7].tolist()
        assert (row[len(after) :] == 7).all()
        assert 2 <= len(after) <= len(before)
        if how == "reorder":
            assert sorted(after) == sorted(before)
        elif how == "crop":
            assert any(before[i : i + len(after)] == after for i in range(len(before)))
        else:
            rest = iter(before)
            assert all(product in rest for product in after)


def test_nothing_is_drawn_where_nothing_is_augmented():
    rng = np.random.default_rng(0)
    rows = np.array([[1, 2, 7]])
    assert augmented(rows, 7, Augmentation(), rng) is rows
    assert rng.random() == np.random.default_rng(0).random()
