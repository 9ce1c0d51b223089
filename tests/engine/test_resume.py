"""Runs killed by the system in the middle, and gone on with: the same numbers as those of a run that was not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storewise.core import artifact
from storewise.core.component import same_state
from storewise.core.errors import ConfigError
from storewise.core.run_context import RunContext
from storewise.engine.benchmark import run
from storewise.engine.pipeline import Pipeline, Selection, Use
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.published import ARTIFACTS, Manifest
from storewise.engine.stages import RankConfig
from storewise.recommend.choose.spaces import NETWORK
from storewise.recommend.retrieve.deep.loop import Loop
from storewise.testing.small_shop import open_store, train_on
from storewise.testing.walks import write_walks

pytest.importorskip("torch", reason="needs the extra deep")

SASREC = {"embedding_size": 8, "length": 12, "epochs": 5, "patience": 0}
SEARCHED = Pipeline(
    name="home", selection=Selection(candidates=("retrieve.sasrec.v1",), minutes=10.0, trials=3),
    rank=RankConfig(use="never"), predict=PredictConfig(targets=()),
)  # fmt: skip
FIXED = SEARCHED.model_copy(
    update={"retriever": Use(use="retrieve.sasrec.v1", config=SASREC), "rank": RankConfig()}
)
KILL = """
import os, pathlib, signal
from storewise.core.run_context import RunContext
from storewise.engine.pipeline import Pipeline
from storewise.recommend.choose.spaces import NETWORK
from storewise.recommend.retrieve.deep.loop import Loop
from storewise.testing.small_shop import open_store, train_on
from storewise.recommend.choose.spaces import NETWORK
NETWORK["epochs"] = 4
folders, save = [], Loop._save
def save_and_die(self, epoch):
    save(self, epoch)
    folders.append(self.folder)
    if len(set(folders)) == 2 and epoch == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Loop._save = save_and_die
store = open_store(pathlib.Path({shop!r}))
pipeline = Pipeline.model_validate_json({pipeline!r})
train_on(store, pipeline, context=RunContext(pathlib.Path({run!r})))
"""


class KilledError(BaseException):
    pass


def dying(monkeypatch: pytest.MonkeyPatch, training: int) -> None:
    """Ends at the third epoch of so many-th training."""
    folders: list[Any] = []
    save = Loop._save

    def save_and_die(self: Any, epoch: int) -> None:
        save(self, epoch)
        folders.append(self.folder)
        if len(set(folders)) == training and epoch == 3:
            raise KilledError

    monkeypatch.setattr(Loop, "_save", save_and_die)


def epochs_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Epochs that are trained from here on."""
    found: list[int] = []
    epoch = Loop._epoch

    def counted(self: Any, number: int) -> None:
        found.append(number)
        epoch(self, number)

    monkeypatch.setattr(Loop, "_epoch", counted)
    return found


def compare(one: Manifest, two: Manifest, root: Path) -> None:
    """Evaluation, configs and weights are the same, but for the time they took."""
    for rows in (one.evaluation["rows"], two.evaluation["rows"]):
        for row in rows:
            del row["seconds"]
    assert one.evaluation["rows"] == two.evaluation["rows"]
    for role in ("retriever", "popular"):
        left, right = (artifact.read(root / ARTIFACTS / m.artifacts[role]) for m in (one, two))
        assert left.facts["config"] == right.facts["config"]
        assert same_state(left.arrays, right.arrays)


def test_a_search_killed_by_the_system_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the second trial; then a run that finds what the first has left, and one that finds nothing."""
    shop, context = tmp_path / "shop", RunContext(tmp_path / "run")
    code = KILL.format(shop=str(shop), run=str(context.folder), pipeline=SEARCHED.model_dump_json())
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    monkeypatch.setitem(NETWORK, "epochs", 4)
    store, trained = open_store(shop), epochs_of(monkeypatch)
    again = train_on(store, SEARCHED, context=context)
    resumed, trained[:] = list(trained), []
    whole = train_on(store, SEARCHED, context=RunContext(tmp_path / "other"))
    assert resumed[0] == 3  # the fourth epoch of the training that was killed
    assert len(trained) - len(resumed) >= 3
    compare(again, whole, store.folder)
    trained[:] = []
    train_on(store, SEARCHED, context=context)
    assert trained == []  # a run that is done needs no training
    with pytest.raises(ConfigError, match="belongs to another run: its seed is 1, now it is 2"):
        train_on(store, SEARCHED, context=context, seed=2)
    with pytest.raises(ConfigError, match="its events is"):
        train_on(open_store(tmp_path / "elsewhere", seed=1), SEARCHED, context=context)


@pytest.mark.parametrize("training", [1, 3])
def test_one_network_killed_goes_on(training: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it learns for validation, or for a past moment that the ranker learns from."""
    store, context = open_store(tmp_path / "shop"), RunContext(tmp_path / "run")
    with monkeypatch.context() as deadly:
        dying(deadly, training)
        with pytest.raises(KilledError):
            train_on(store, FIXED, context=context)
    trained = epochs_of(monkeypatch)
    again = train_on(store, FIXED, context=context)
    assert trained[0] == 3
    compare(again, train_on(store, FIXED), store.folder)


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    return write_walks(tmp_path / "walks.txt", 200)


def figures(report: dict[str, Any]) -> list[Any]:
    return [(row["model"], row["metrics"], row["config"], row["validation"]) for row in report["rows"]]


def test_a_killed_benchmark_goes_on(walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORK, "epochs", 4)
    options = {"models": ["popular", "gru4rec"], "minutes": 10.0, "trials": 2, "seed": 1}
    with monkeypatch.context() as deadly:
        dying(deadly, 2)
        with pytest.raises(KilledError):
            run("leave-last-out", Inputs(data=walks, checkpoint=tmp_path / "run"), **options)
    trained = epochs_of(monkeypatch)
    again = run("leave-last-out", Inputs(data=walks, checkpoint=tmp_path / "run"), **options)
    assert trained[0] == 3
    whole = run("leave-last-out", Inputs(data=walks, checkpoint=tmp_path / "other"), **options)
    assert figures(again) == figures(whole)
    with pytest.raises(ConfigError, match="its seed is 1, now it is 2"):
        run("leave-last-out", Inputs(data=walks, checkpoint=tmp_path / "run"), **{**options, "seed": 2})
