"""The ablation of networks: on a table, on a shop's moments, within its time, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from storewise.core.errors import ConfigError
from storewise.core.progress import Silent
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.prediction_ablation import PredictionAblation, parts_of


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    n = 500
    a, b, x = rng.integers(0, 5, n), rng.integers(0, 40, n), rng.normal(size=n)
    y = (2.0 * ((a + b) % 2) - 1 + x + rng.logistic(size=n) > 0).astype(int)
    at = np.arange(n) * 60
    frame = pl.DataFrame(
        {"at": at, "shop": a.astype(str), "product": b.astype(str), "price": x, "clicked": y}
    )
    frame.write_csv(tmp_path / "clicks.csv")
    return tmp_path / "clicks.csv"


def run(inputs: Inputs, models: Any, budget_s: float) -> dict[str, Any]:
    pytest.importorskip("torch", reason="needs the extra deep")
    return PredictionAblation().run(inputs, models=models, budget_s=budget_s, seed=1, progress=Silent())


def test_a_table(clicks: Path) -> None:
    report = run(Inputs(data=clicks, label="clicked", time="at"), ["fm"], 60)
    names = [row["model"] for row in report["rows"]]
    assert names == ["predict.rate.v1", "predict.logistic.v1", "predict.lightgbm.v1", "predict.fm.v1"]
    assert "parted by time" in report["question"]
    questions = [section["question"] for section in report["others"]]
    assert questions[:2] == ["regularisation", "class weighting"]
    assert questions[2].startswith("hashing")
    for section in (report, *report["others"]):
        assert sum(row["selected"] for row in section["rows"]) == 1
        chosen = next(row for row in section["rows"] if row["selected"])
        assert chosen["validation"] == min(row["validation"] for row in section["rows"])
    plain = report["others"][0]["rows"][0]
    assert plain["metrics"]["log_loss gained"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert plain["metrics"]["auc"] == report["rows"][3]["metrics"]["auc"]  # trained once, told twice


def test_no_time_leaves_sections_out_and_says_so(clicks: Path) -> None:
    report = run(Inputs(data=clicks, label="clicked"), ["fm"], 0.0)
    assert len(report["rows"]) == 4
    assert report["others"] == []
    assert any("left out, no time: no L2" in note for note in report["notes"])


def test_a_shops_moments_have_histories(shop: Path) -> None:
    parts = parts_of(Inputs(data=shop), seed=1, budget_s=60)
    assert "product" in parts.train.rows.sequences
    assert parts.groups is not None
    assert len(parts.groups) == len(parts.test.labels)
    assert 0.1 < parts.test.labels.mean() < 0.6


def test_refusals(clicks: Path, shop: Path) -> None:
    with pytest.raises(ConfigError, match="No network is named"):
        run(Inputs(data=clicks, label="clicked"), ["logistic"], 1)
    with pytest.raises(ConfigError, match="--time needs --label"):
        parts_of(Inputs(data=shop, time="at"), seed=1, budget_s=1)


def test_a_killed_ablation_goes_on(clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network whose training is cut off at its third checkpoint, and the whole run again."""
    from storewise.predict.networks import fit

    write, step, steps = fit.checkpoint.write, fit._step, list[int]()

    def dying(*given: Any) -> None:
        write(*given)
        steps.append(0)
        if len(steps) == 3:
            raise KeyboardInterrupt

    inputs = Inputs(data=clicks, label="clicked", checkpoint=tmp_path / "run")
    with monkeypatch.context() as deadly:
        deadly.setattr(fit.checkpoint, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, ["fm"], 0.0)
    first: list[int] = []

    def counted(state: Any, *given: Any) -> None:
        first.append(state.step)
        step(state, *given)

    monkeypatch.setattr(fit, "_step", counted)
    again = run(inputs, ["fm"], 0.0)
    assert first[0] > 1
    whole = run(Inputs(data=clicks, label="clicked"), ["fm"], 0.0)
    assert [row["metrics"] for row in again["rows"]] == [row["metrics"] for row in whole["rows"]]
