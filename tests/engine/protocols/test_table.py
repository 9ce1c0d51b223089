"""The protocol ``table``: end to end on small tables, leaks left out, bad input said."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError, DataError, UnknownName
from storewise.engine.benchmark import run
from storewise.engine.protocols.inputs import Inputs

MODELS = ["rate", "logistic"]


def clicks(n: int = 1500, seed: int = 0) -> pl.DataFrame:
    """An app decides; ``paid_at`` is filled for events only."""
    rng = np.random.default_rng(seed)
    app = rng.choice(["a", "b", "c", "d", "e"], n)
    price = rng.normal(size=n)
    logit = np.select([app == "a", app == "b"], [1.0, 0.0], -2.0) + price
    bought = rng.random(n) < 1 / (1 + np.exp(-logit))
    at = [datetime(2024, 1, 1) + timedelta(minutes=11 * i) for i in range(n)]
    paid = [a + timedelta(hours=3) if b else None for a, b in zip(at, bought, strict=True)]
    return pl.DataFrame({
        "app": app, "price": price, "buyer": rng.integers(0, 150, n), "at": at, "paid_at": paid,
        "empty": [None] * n, "bought": bought.astype(int),
    })  # fmt: skip


def report(path: Path, **options: str | None) -> dict:
    return run(
        "table", Inputs(data=path, **options), models=MODELS, minutes=1e-6, seed=3
    )  # too short to tune


def by_model(found: dict) -> dict:
    return {row["model"]: row for row in found["rows"]}


@pytest.mark.parametrize("options", [{"time": "at"}, {"group": "buyer"}, {}])
def test_end_to_end(tmp_path, options):
    path = tmp_path / "clicks.csv.gz"
    path.write_bytes(gzip.compress(clicks().write_csv().encode()))
    found = report(path, label="bought", **options)
    rows = by_model(found)
    assert set(rows) == {"predict.rate.v1", "predict.logistic.v1"}
    assert sum(row["selected"] for row in rows.values()) == 1
    assert rows["predict.logistic.v1"]["selected"], found["reason"]
    assert rows["predict.rate.v1"]["simple"]
    auc = rows["predict.logistic.v1"]["metrics"]["auc"]
    assert 0.75 < auc["low"] < auc["value"] < auc["high"] < 0.95
    assert rows["predict.logistic.v1"]["metrics"]["ece"]["value"] < 0.1
    assert any("paid_at is left out" in note for note in found["notes"])
    assert any("empty is left out" in note for note in found["notes"])
    lift = found["curves"]["predict.logistic.v1"]["lift"]
    assert lift[0]["lift"] > 1.5
    assert lift[-1]["lift"] == pytest.approx(1.0)
    assert "columns" in found


def test_the_same_seed_gives_the_same_figures(tmp_path):
    path = tmp_path / "clicks.parquet"
    clicks(600).write_parquet(path)
    ours, theirs = (report(path, label="bought", time="at") for _ in range(2))
    assert [row["metrics"] for row in ours["rows"]] == [row["metrics"] for row in theirs["rows"]]


def test_labels_of_two_words(tmp_path):
    path = tmp_path / "clicks.csv"
    frame = clicks(700)
    frame.with_columns(
        bought=pl.when(pl.col("bought") == 1).then(pl.lit("Yes")).otherwise(pl.lit("no"))
    ).write_csv(path)
    words = report(path, label="bought", time="at")
    frame.write_csv(path)
    numbers = report(path, label="bought", time="at")
    assert by_model(words)["predict.rate.v1"]["metrics"] == by_model(numbers)["predict.rate.v1"]["metrics"]


def test_test_rows_change_nothing_that_is_learned(tmp_path):
    """Other features and labels in the last fifth: the same choice, config and validation losses."""
    frame, path = clicks(1000), tmp_path / "clicks.parquet"
    frame.write_parquet(path)
    ours = report(path, label="bought", time="at")
    last = pl.int_range(1000) >= 800
    frame.with_columns(
        app=pl.when(last).then(pl.lit("z")).otherwise("app"), bought=pl.when(last).then(1 - pl.col("bought")).otherwise("bought")
    ).write_parquet(path)  # fmt: skip
    theirs = report(path, label="bought", time="at")
    for name, row in by_model(ours).items():
        assert row["validation"] == by_model(theirs)[name]["validation"]
        assert row["config"] == by_model(theirs)[name]["config"]
    assert ours["notes"] == theirs["notes"]


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda f: f.with_columns(bought=pl.lit(0)), {}, "one class"),
        (lambda f: f.with_columns(bought=pl.int_range(f.height) % 3), {}, "has 3 values"),
        (lambda f: f, {"label": "sold"}, "no column 'sold'"),
        (lambda f: f, {"time": "when"}, "no column 'when'"),
        (lambda f: f, {"group": "who"}, "no column 'who'"),
        (lambda f: f, {"text": "note,app"}, "no column 'note'"),
        (lambda f: f.with_columns(at=pl.lit(5)), {"time": "at"}, "the same time"),
        (lambda f: f.with_columns(at=pl.lit("soon")), {"time": "at"}, "holds no time"),
        (lambda f: f.with_columns(buyer=pl.lit(5)), {"group": "buyer"}, "one group"),
        (lambda f: f.select("bought", app=pl.lit(1)), {}, "No column can be learned from"),
        (lambda f: f.with_columns(bought=(pl.int_range(f.height) < 1000).cast(int)), {"time": "at"}, "one outcome only"),
        (lambda f: f[:4], {}, "leave no part|one outcome only|one class"),
    ],
)  # fmt: skip
def test_bad_tables_are_said(tmp_path, change, options, says):
    path = tmp_path / "clicks.csv"
    change(clicks().drop("paid_at")).write_csv(path)
    with pytest.raises(DataError, match=says):
        report(path, **{"label": "bought", **options})


def test_bad_options_are_said(tmp_path):
    path = tmp_path / "clicks.csv"
    clicks(200).write_csv(path)
    with pytest.raises(ConfigError, match="needs --label"):
        report(path)
    with pytest.raises(ConfigError, match="does not read --split"):
        report(path, label="bought", split="app")
    with pytest.raises(UnknownName):
        run("table", Inputs(data=path, label="bought"), models=["oracle"], minutes=0.01)
    (tmp_path / "x.xlsx").write_bytes(b"no table")
    with pytest.raises(DataError, match="no table"):
        report(tmp_path / "x.xlsx", label="bought")
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="cannot be read"):
        report(tmp_path / "broken.parquet", label="bought")


def test_odd_cells_are_normal(tmp_path):
    """NaN, infinity, empty labels, a category that only the test has."""
    frame = clicks(900).drop("paid_at").with_columns(
        price=pl.when(pl.int_range(900) % 7 == 0).then(float("inf")).when(pl.int_range(900) % 7 == 1)
        .then(float("nan")).otherwise("price"),
        app=pl.when(pl.int_range(900) > 850).then(pl.lit("new")).otherwise("app"),
        bought=pl.when(pl.int_range(900) % 50 == 3).then(None).otherwise("bought"),
    )  # fmt: skip
    path = tmp_path / "clicks.csv"
    frame.write_csv(path)
    found = report(path, label="bought", time="at")
    assert "18 rows without a label are left out" in found["notes"]
    assert all(np.isfinite(row["metrics"]["log_loss"]["value"]) for row in found["rows"])


@pytest.mark.parametrize(
    "write",
    [
        lambda at: at.dt.epoch("s"), lambda at: at.dt.epoch("ms"), lambda at: at.dt.strftime("%d/%m/%Y %H:%M"),
        lambda at: at.dt.strftime("%m/%d/%Y %I:%M %p"), lambda at: at.dt.strftime("%Y-%m-%dT%H:%M:%S+08:00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_clock_in_any_form_gives_the_same_split(tmp_path, write, suffix):
    frame, path = clicks(600).sample(600, shuffle=True, seed=1), tmp_path / f"clicks.{suffix}"
    getattr(frame, f"write_{suffix}")(path)
    ours = report(path, label="bought", time="at")
    changed = frame.with_columns(write(pl.col("at")))
    getattr(changed, f"write_{suffix}")(path)
    theirs = report(path, label="bought", time="at")
    assert theirs["columns"]["at"] == ours["columns"]["at"] == "date"
    assert theirs["data"] == ours["data"]
    one, two = (by_model(found)["predict.rate.v1"]["metrics"] for found in (ours, theirs))
    assert one == two


def test_a_column_of_times_with_other_things(tmp_path):
    path = tmp_path / "clicks.csv"
    odd = pl.int_range(600) % 3 > 0
    clicks(600).with_columns(
        at=pl.when(odd).then(pl.lit("week 7")).otherwise(pl.col("at").cast(pl.String))
    ).write_csv(path)  # fmt: skip
    with pytest.raises(DataError, match=r"holds few times; 400 values cannot be read, 'week 7' for one"):
        report(path, label="bought", time="at")


def test_a_table_without_a_header(tmp_path):
    path = tmp_path / "clicks.txt"
    clicks(600).select("bought", "price", "app").write_csv(path, include_header=False, separator="\t")
    found = report(path, label="column_1")
    assert found["columns"] == {"column_2": "number", "column_3": "category"}


def test_a_search_is_kept_and_gone_on_with(tmp_path):
    """The trials of the first run are the second's too: it has no time left to add any."""
    path = tmp_path / "clicks.parquet"
    clicks(600).write_parquet(path)
    inputs = Inputs(data=path, label="bought", time="at", checkpoint=tmp_path / "kept")
    options = {"models": MODELS, "minutes": 0.1, "seed": 3}
    first = run("table", inputs, **options)
    kept = (tmp_path / "kept" / "search.log").read_bytes()
    assert b"study_name" in kept
    again = run("table", inputs, **options)
    assert (tmp_path / "kept" / "search.log").read_bytes().startswith(kept)
    assert [row["model"] for row in again["rows"]] == [row["model"] for row in first["rows"]]
    with pytest.raises(ConfigError, match="belongs to another run: its seed is 3"):
        run("table", inputs, **{**options, "seed": 4})
