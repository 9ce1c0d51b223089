"""A tracked training run: config, a curve a retriever and predictor, figures and plots, where the libraries read them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from storewise.core.errors import ConfigError
from storewise.core.run_context import RunContext
from storewise.core.tracking import read_curves
from storewise.engine.pipeline import Pipeline, Selection
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.stages import RankConfig
from storewise.engine.tracked import open_journal, tell
from storewise.testing.small_shop import open_store, train_on

KNN, BPR = "retrieve.item_knn.v1", "retrieve.bpr.v1"
PIPELINE = Pipeline(
    name="home", selection=Selection(candidates=(KNN, BPR), minutes=10.0, trials=3), rank=RankConfig(use="never"),
    predict=PredictConfig(targets=("product",), minutes=0.1),
)  # fmt: skip


@pytest.fixture
def tracked(tmp_path: Path, names: list[str]) -> Path:
    journal = open_journal(
        tmp_path / "runs", names, {"pipeline": PIPELINE.model_dump(mode="json"), "seed": 1}
    )
    manifest = train_on(open_store(tmp_path / "shop"), PIPELINE, context=RunContext(journal=journal))
    journal.finish()
    (folder,) = (tmp_path / "runs").iterdir()
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest.facts))
    return folder


@pytest.mark.parametrize("names", [[]])
def test_plain_files_hold_everything(tracked: Path) -> None:
    config = orjson.loads((tracked / "config.json").read_bytes())
    assert config["pipeline"]["selection"]["trials"] == 3
    facts = orjson.loads((tracked / "manifest.json").read_bytes())
    told: dict[str, float] = {}
    lines = read_curves(tracked)
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    for line in lines:
        told |= {name: value for name, value in line.items() if name != "step"}
    trials = [line for line in lines if f"{KNN}/validation ndcg@12" in line]
    assert len(trials) == 3
    for row in facts["evaluation"]["rows"]:
        name = f"{row['role']}/{row['model']}/ndcg@12"
        assert told[name] == pytest.approx(row["metrics"]["ndcg@12"]["value"])
    product = facts["predictions"]["product"]
    assert told["product/auc"] == pytest.approx(product["auc"]["value"])
    assert any(name.startswith("product/predict.") and "log loss" in name for name in told)
    points = orjson.loads((tracked / "product-calibration.json").read_bytes())
    assert points["y"] == pytest.approx([point["rate"] for point in product["calibration"]])
    pictures = {file.name for file in tracked.glob("*.svg")}
    assert pictures >= {
        "curves.svg", "product-calibration.svg", "product-lift.svg",
        f"{KNN}-best-ndcg-12-by-trial.svg", f"{BPR}-best-ndcg-12-by-trial.svg",
    }  # fmt: skip


@pytest.mark.parametrize("names", [["tensorboard", "mlflow", "wandb"]])
def test_the_real_libraries_read_it(tracked: Path) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="needs the extra track")
    pytest.importorskip("torch", reason="needs the extra deep")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    last = {name: value for line in read_curves(tracked) for name, value in line.items()}
    wanted = last["product/auc"]
    found = EventAccumulator(str(tracked / "tensorboard")).Reload()
    assert found.Scalars("product/auc")[0].value == pytest.approx(wanted, rel=1e-5)
    (tag,) = (tag for tag in found.Tags()["scalars"] if tag.startswith(f"{KNN}/validation"))
    assert len(found.Scalars(tag)) == 3
    client = tracking.MlflowClient(tracking_uri=(tracked / "mlruns").resolve().as_uri())
    experiment = client.get_experiment_by_name("storewise")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics["product/auc"] == pytest.approx(wanted)
    assert len(client.get_metric_history(run.info.run_id, f"{KNN}/validation ndcg_12")) == 3
    assert {"pipeline", "seed"} <= run.data.params.keys()
    assert "product-calibration.svg" in {file.path for file in client.list_artifacts(run.info.run_id)}
    (file,) = tracked.glob("wandb/offline-run-*/run-*.wandb")
    assert file.stat().st_size > 0


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tracker 'comet'"):
        open_journal(tmp_path, ["comet"], {})


def test_the_pareto_plot(tmp_path: Path) -> None:
    def row(dial: float, ndcg: float, margin: float) -> dict[str, object]:
        metrics = {"ndcg@12": {"value": ndcg}, "margin_minor": {"value": margin}}
        return {"dial": dial, "metrics": metrics}

    journal = open_journal(tmp_path, [], {})
    rows = [row(0.0, 0.4, 10.0), row(1.0, 0.2, 30.0)]
    evaluation = {"metric": "recall", "k": 12, "rows": [], "ranking": {"row": None}, "pareto": rows}
    tell(journal, {"evaluation": evaluation})
    (folder,) = tmp_path.iterdir()
    found = orjson.loads((folder / "margin-by-ndcg-12.json").read_bytes())
    assert found == {"x": [0.2, 0.4], "y": [30.0, 10.0]}
