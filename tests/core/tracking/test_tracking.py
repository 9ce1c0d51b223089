"""Trackers: the same three calls, written where the real libraries read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from storewise.core.errors import ConfigError, MissingExtra
from storewise.core.tracking import FILE, open_runs, read_curves, tracker_names
from storewise.core.tracking.plot import plot

CONFIG = {"learning_rate": 0.1, "model": "predict.fm.v1"}


def log(folder: Path, *names: str) -> None:
    runs = open_runs(folder, names, config=CONFIG)
    assert len(runs) == 1 + len(names)
    for run in runs:
        run.log(1, {"loss": 0.7})
        run.log(2, {"loss": 0.5, "validation_loss": 0.6})
        run.curve("calibration", [0.1, 0.5], [0.2, 0.4])
        run.finish()


def test_json_lines_are_always_there(tmp_path: Path) -> None:
    log(tmp_path)
    assert read_curves(tmp_path) == [
        {"step": 1, "loss": 0.7},
        {"step": 2, "loss": 0.5, "validation_loss": 0.6},
    ]
    assert orjson.loads((tmp_path / "config.json").read_bytes()) == CONFIG
    assert orjson.loads((tmp_path / "calibration.json").read_bytes()) == {"x": [0.1, 0.5], "y": [0.2, 0.4]}
    assert "validation_loss" in (tmp_path / "curves.svg").read_text()


def test_half_a_line_and_what_came_after_a_checkpoint_are_dropped(tmp_path: Path) -> None:
    log(tmp_path)
    with open(tmp_path / FILE, "ab") as file:
        file.write(b'{"step": 3, "lo')
    assert len(read_curves(tmp_path)) == 2
    open_runs(tmp_path, (), resume_at=1)
    assert read_curves(tmp_path) == [{"step": 1, "loss": 0.7}]


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra track")
    pytest.importorskip("torch", reason="needs the extra deep")
    log(tmp_path, "tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, round(e.value, 3)) for e in found.Scalars("loss")] == [(1, 0.7), (2, 0.5)]
    assert [round(e.value, 3) for e in found.Scalars("calibration/y")] == [0.2, 0.4]


def test_mlflow(tmp_path: Path) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="needs the extra track")
    log(tmp_path, "mlflow")
    client = tracking.MlflowClient(tracking_uri=(tmp_path / "mlruns").resolve().as_uri())
    experiment = client.get_experiment_by_name("storewise")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"learning_rate": "0.1", "model": "predict.fm.v1"}
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [(1, 0.7), (2, 0.5)]  # fmt: skip
    assert run.info.status == "FINISHED"
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"calibration.json", "calibration.svg"}


def test_weights_and_biases_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs the extra track")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    log(tmp_path, "wandb")
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert file.stat().st_size > 0


def test_unknown_and_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracker_names() == ("json", "tensorboard", "wandb", "mlflow")
    with pytest.raises(ConfigError, match="no tracker 'comet'"):
        open_runs(tmp_path, ["comet"])
    import sys

    broken: dict[str, Any] = {"wandb": None}
    monkeypatch.setitem(sys.modules, "wandb", broken["wandb"])
    with pytest.raises(MissingExtra, match="storewise\\[track\\]"):
        open_runs(tmp_path, ["wandb"])


def test_a_plot_of_nothing_and_of_one_point() -> None:
    assert plot({}).startswith("<svg")
    assert "polyline" in plot({"loss": ([1.0], [float("nan")]), "a": ([1.0], [2.0])})
