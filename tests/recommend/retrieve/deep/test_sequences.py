"""Windows and batches keep every event, and no batch tells a position its future."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.data.interactions import Interactions
from storewise.recommend.retrieve.deep.sequences import Windows, seen_before

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
