"""Fields: kinds found, bad columns said, unseen values, learned on training rows only, the same after restoring."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import DataError
from storewise.predict.base import MISSING
from storewise.predict.tables.columns import describe
from storewise.predict.tables.fields import Fields, FieldsConfig, learn

N = 300


def shop(seed: int = 0, n: int = N) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    start = datetime(2024, 1, 1)
    frame = pl.DataFrame({
        "price": rng.normal(size=n), "colour": rng.choice(["red", "blue", "green"], n),
        "code": rng.integers(100, 110, n), "order": [f"o-{i:05d}" for i in range(n)], "row": np.arange(n),
        "fixed": ["same"] * n, "nothing": [None] * n, "holes": [None if i % 3 else float("inf") for i in range(n)],
        "gaps": [float("nan") if i % 4 == 0 else i * 0.5 for i in range(n)], "member": rng.random(n) < 0.5,
        "at": [(start + timedelta(minutes=37 * i)).strftime("%Y-%m-%d %H:%M") for i in range(n)],
        "birth": [start - timedelta(days=int(d)) for d in rng.integers(1, 900, n)],
        "note": [" ".join(rng.choice(["good", "shoe", "red", "late", "box", "nice"], 6)) + f" {i}" for i in range(n)],
        "lists": [[1, 2]] * n,
    })  # fmt: skip
    return frame, (rng.random(n) < 0.4).astype(np.float64)


def test_kinds_are_found():
    frame, labels = shop()
    fields, data = learn(frame, labels, config=FieldsConfig(time="at"), seed=1)
    kinds = {column.name: column.kind for column in fields.columns}
    assert kinds == {
        "price": "number", "colour": "category", "code": "number", "order": "left out", "row": "left out",
        "fixed": "left out", "nothing": "left out", "holes": "left out", "gaps": "number", "member": "category",
        "at": "date", "birth": "date", "note": "text", "lists": "left out",
    }  # fmt: skip
    assert data.rows.category_names == ("colour", "code", "member")
    assert {"at: hour", "at: weekday", "birth: days before", "rate of colour"} <= set(data.rows.number_names)
    assert "at: days before" not in data.rows.number_names
    assert data.rows.vectors["note"].shape == (N, 32)
    data.rows.check()
    said = " ".join(fields.notes)
    for what in ("order is left out: it is an id", "row is left out: it numbers the rows", "fixed is left out",
                 "nothing is left out: all values are missing", "lists is left out: its type"):  # fmt: skip
        assert what in said
    assert not np.isinf(data.rows.numbers).any()


def test_dates_are_those_of_the_calendar():
    frame, labels = shop()
    _, data = learn(frame, labels, config=FieldsConfig(time="at"), seed=1)
    names = data.rows.number_names
    at = [datetime.strptime(text, "%Y-%m-%d %H:%M") for text in frame["at"]]
    weekday, hour = (data.rows.numbers[:, names.index(f"at: {part}")] for part in ("weekday", "hour"))
    assert weekday.tolist() == [moment.weekday() for moment in at]
    np.testing.assert_allclose(hour, [moment.hour + moment.minute / 60 for moment in at], atol=1e-4)
    days = data.rows.numbers[:, names.index("birth: days before")]
    expected = [(a - b).total_seconds() / 86400 for a, b in zip(at, frame["birth"], strict=True)]
    np.testing.assert_allclose(days, expected, rtol=1e-4)


def test_later_rows_never_change_what_was_learned():
    """The same rows alone or among others: the same features; an unseen value is 0, a missing one MISSING."""
    frame, labels = shop()
    fields, _ = learn(frame[:200], labels[:200], seed=1)
    odd = frame[200:].with_columns(
        colour=pl.when(pl.int_range(100) % 2 == 0).then(pl.lit("ultraviolet")).otherwise(None),
        code=pl.lit("n/a"),
    )
    rows = fields(odd)
    assert set(rows.categories[::2, 0]) == {0}
    assert set(rows.categories[1::2, 0]) == {MISSING}
    assert set(rows.categories[:, 1]) == {MISSING}
    alone = fields(odd[7:8])
    assert np.array_equal(alone.numbers, rows.numbers[7:8], equal_nan=True)
    np.testing.assert_allclose(alone.vectors["note"], rows.vectors["note"][7:8], atol=1e-6)


def test_restored(tmp_path):
    frame, labels = shop()
    frame = frame.rename({"colour": "a/b ä:\\?", "gaps": "../gaps"})
    fields, _ = learn(frame, labels, config=FieldsConfig(time="at"), seed=1)
    state = fields.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())
    read = artifact.read(artifact.write(Artifact("fields", {}, state), tmp_path))
    again = Fields.restore(read.arrays)
    ours, theirs = again(frame), fields(frame)
    assert np.array_equal(ours.numbers, theirs.numbers, equal_nan=True)
    assert np.array_equal(ours.categories, theirs.categories)
    assert np.array_equal(ours.vectors["note"], theirs.vectors["note"])
    assert (ours.number_names, ours.sizes) == (theirs.number_names, theirs.sizes)


def test_an_encoder_of_texts_can_be_given():
    frame, labels = shop()

    def encode(texts):
        return np.array([[len(text), text.count("e")] for text in texts], np.float32)

    fields, data = learn(frame, labels, seed=1, encode=encode)
    assert data.rows.vectors["note"].shape == (N, 2)
    again = Fields.restore(fields.state(), encode=encode)
    assert np.array_equal(again(frame).vectors["note"], data.rows.vectors["note"])
    with pytest.raises(DataError, match="encoder"):
        Fields.restore(fields.state())(frame)


def test_a_missing_column_is_an_error_an_additional_one_is_not():
    frame, labels = shop()
    fields, _ = learn(frame, labels, seed=1)
    with pytest.raises(DataError, match="'colour'"):
        fields(frame.drop("colour"))
    assert len(fields(frame.drop("fixed", "row").with_columns(other=pl.lit(1)))) == N


def test_nothing_to_learn_from():
    with pytest.raises(DataError, match="No column can be learned from"):
        learn(pl.DataFrame({"fixed": [1] * 60, "id": list(range(60))}), np.tile([0.0, 1.0], 30), seed=1)
    with pytest.raises(DataError, match="no column 'when'"):
        learn(pl.DataFrame({"x": [1, 2]}), np.array([0.0, 1.0]), config=FieldsConfig(time="when"), seed=1)


def test_many_values_have_few_codes():
    """A value needs rows to have a code; the rest is unseen, and still counted."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"ip": [f"ip{v}" for v in np.minimum(rng.zipf(1.3, 5000), 10**6)]})
    _, data = learn(frame, (rng.random(5000) < 0.2).astype(np.float64), seed=1)
    counts = frame["ip"].value_counts()
    assert data.rows.sizes[0] - 1 == int((counts["count"] >= 10).sum())
    assert (data.rows.categories[:, 0] == 0).sum() == counts.filter(pl.col("count") < 10)["count"].sum()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", ""] * 30, "number"), (["2024-01-03", "2024-02-04"] * 30, "date"), ([True, None] * 30, "category"),
        ([1, 1, None] * 30, "category"), (["a b c d e", "f g h i j k"] * 2 + [f"the {i} of it all" for i in range(80)],
        "text"), ([f"u{i}" for i in range(90)], "left out"), ([2.0] * 60, "left out"),
    ],
)  # fmt: skip
def test_kind_of_a_column(values, kind):
    assert describe(pl.Series("x", values)).kind == kind
