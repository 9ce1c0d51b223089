"""Rates of earlier rows: against a slow reference, and nothing of a row's own future or label in them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.predict.tables import hashing, rates
from storewise.predict.tables.fields import FieldsConfig, learn
from storewise.predict.tables.keys import KeyRates

EVENTS = st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 4)), min_size=1, max_size=25)


@given(EVENTS)
@settings(deadline=None, max_examples=80)
def test_earlier_is_what_a_loop_counts(rows):
    keys = np.array([k for k, _, _ in rows], np.uint64)
    labels = np.array([float(y) for _, y, _ in rows])
    moments = np.array([t for _, _, t in rows])
    found = rates.earlier(keys, labels, moments, np.zeros(len(rows)))
    for i in range(len(rows)):
        before = [j for j in range(len(rows)) if keys[j] == keys[i] and moments[j] < moments[i]]
        assert found.rows[i] == len(before)
        assert found.events[i] == labels[before].sum()


def table(seed: int, n: int = 400) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({
        "app": rng.integers(0, 9, n), "shop": rng.choice(["a", "b", "c"], n), "at": np.sort(rng.integers(0, 300, n)),
    })  # fmt: skip
    return frame, (rng.random(n) < 0.3).astype(np.float64)


def test_no_later_row_changes_an_earlier_one():
    """Turning around every label after a moment leaves the rates of all rows up to it as they were."""
    frame, labels = table(1)
    turned = np.where(frame["at"].to_numpy() >= 150, 1 - labels, labels)
    hashes = {name: hashing.of_column(frame[name]) for name in ("app", "shop")}
    moments = frame["at"].to_numpy()
    upto = moments <= 150
    for key in hashes.values():
        base = rates.overall(labels, moments), rates.overall(turned, moments)
        ours, theirs = (
            rates.earlier(key, y, moments, b) for y, b in zip((labels, turned), base, strict=True)
        )
        assert np.array_equal(ours.rate(10.0)[upto], theirs.rate(10.0)[upto])
        assert not np.array_equal(ours.rate(10.0)[~upto], theirs.rate(10.0)[~upto])
    made, block = KeyRates.learn(hashes, labels, moments=moments, crossed=2)
    assert block.shape == (400, len(made.names))


@pytest.mark.parametrize("time", ["at", None])
def test_labels_by_chance_leave_no_trace(time):
    """With labels that hang on nothing, training rows' rates say nothing of their own labels: no leak."""
    from storewise.metrics.probability import roc_auc

    aucs = []
    for seed in range(12):
        frame, labels = table(seed)
        frame = frame.with_columns(user=pl.Series(np.random.default_rng(seed).integers(0, 120, 400)))
        _, data = learn(frame, labels, config=FieldsConfig(time=time), seed=seed)
        place = data.rows.number_names.index("rate of user")
        aucs.append(roc_auc(labels, np.nan_to_num(data.rows.numbers[:, place].astype(np.float64), nan=-1.0)))
    assert abs(np.mean(aucs) - 0.5) < 0.04


def test_rows_of_one_group_are_not_counted_for_each_other():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    frame = pl.DataFrame({"who": groups.astype(str)})
    _, data = learn(frame, (rng.random(300) < 0.5).astype(np.float64), seed=1, groups=groups)
    assert np.isnan(data.rows.numbers[:, data.rows.number_names.index("count of who")]).all()


def test_later_rows_get_the_counts_of_all_training_rows():
    keys, labels = np.array([5, 5, 9], np.uint64), np.array([1.0, 0.0, 0.0])
    made = rates.Table.of(keys, labels, 0.25, 4.0)
    seen = made.seen(np.array([9, 5, 7], np.uint64))
    assert seen.rows.tolist() == [1.0, 2.0, 0.0]
    assert seen.rate(4.0).tolist() == [1 / 5, 2 / 6, 0.25]


def test_hashes_do_not_depend_on_types():
    """The same values as integers, floats, text or with gaps."""
    whole = hashing.of_column(pl.Series([1, 25, -3]))
    for other in (
        pl.Series([1.0, 25.0, -3.0]),
        pl.Series(["1", " 25", "-3 "]),
        pl.Series([1, 25, -3], dtype=pl.Int8),
    ):
        assert np.array_equal(hashing.of_column(other), whole)
    text = hashing.of_column(pl.Series(["red", None, "", "red", "blue"]))
    assert text[0] == text[3] != text[4]
    assert text[1] == text[2] == 0
    mixed = hashing.of_column(pl.Series([1.5, 2.0, float("nan")]))
    assert len(set(mixed.tolist())) == 3
    assert mixed[2] == 0
