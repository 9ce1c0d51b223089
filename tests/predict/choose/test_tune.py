"""Tuning: killed and continued from a file, hopeless trainings ended inside, tracked, within its time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from storewise.core.config import Config
from storewise.core.progress import Silent
from storewise.core.registry import Registry
from storewise.core.tracking import open_runs, read_curves
from storewise.predict.base import Labelled, Predictor, Rows, Trial, Values
from storewise.predict.choose.contest import Contest, Fold
from storewise.predict.choose.tune import tune


class Dial(Config):
    value: float = 0.0


class Dialled(Predictor[Dial]):
    """Right when its dial stands at 1; tells a validation before it answers."""

    Config = Dial
    killed_after: int | None = None
    asked: list[float] = []  # noqa: RUF012

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {"value": trial.suggest_float("value", -1.0, 1.0)}

    def train(self, data: Labelled, *, validation: Any = None, rng: Any, progress: Any = None) -> None:
        if validation is None:
            return
        Dialled.asked.append(self.config.value)
        if Dialled.killed_after is not None and len(Dialled.asked) > Dialled.killed_after:
            raise KeyboardInterrupt
        for number in (1, 2):
            if self.on_validation is not None:
                self.on_validation(number, 1.0 - self.config.value)

    def settled(self) -> Dial:
        return self.config

    def scores(self, rows: Rows) -> Values:
        return 1 / (1 + np.exp(-self.config.value * rows.numbers[:, 0].astype(float)))


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Dialled.asked, Dialled.killed_after = [], None


def contest(**given: Any) -> Contest:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 1)).astype(np.float32)
    data = Labelled(
        Rows.of(numbers=x, number_names=("x",)), (x[:, 0] + rng.logistic(size=400) > 0).astype(float)
    )
    parts = [Labelled(data.rows.part(np.arange(a, a + 200)), data.labels[a : a + 200]) for a in (0, 200)]
    folds = (Fold(parts[0], parts[1]), Fold(parts[1], parts[0]))
    return Contest(Registry({"predict.dialled.v1": f"{__name__}:Dialled"}), folds, 3, Silent(), **given)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or __import__(__name__))
    sys.modules[__name__].Dialled = Dialled  # type: ignore[attr-defined]


def test_a_killed_search_goes_on(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'search.db'}"
    Dialled.killed_after = 7
    with pytest.raises(KeyboardInterrupt):
        tune(contest(), "predict.dialled.v1", budget_s=60, storage=storage, most=12)
    before = optuna.load_study(study_name="predict.dialled.v1 3", storage=storage)
    done = [t.number for t in before.trials if t.state.is_finished()]
    assert 3 <= len(done) < 12
    Dialled.killed_after = None
    found = tune(contest(), "predict.dialled.v1", budget_s=60, storage=storage, most=12)
    assert found is not None
    assert found.trials == 12
    after = optuna.load_study(study_name="predict.dialled.v1 3", storage=storage)
    assert found.loss == pytest.approx(after.best_value)
    assert {t.number for t in after.trials if t.state.is_finished()} > set(done)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_hopeless_trainings_are_ended_at_their_first_validations(pruner: Any, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'search.db'}"
    found = tune(contest(), "predict.dialled.v1", budget_s=60, storage=storage, most=14, pruner=pruner)
    study = optuna.load_study(study_name="predict.dialled.v1 3", storage=storage)
    ended = [t for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    assert ended
    assert any(max(t.intermediate_values) <= 2 for t in ended)  # inside the first training
    assert found is not None
    best = study.best_trial
    assert found.config == Dial(value=best.params["value"])


def test_trials_are_tracked_and_seeded(tmp_path: Path) -> None:
    (run,) = open_runs(tmp_path, ())
    first = tune(contest(tracker=run), "predict.dialled.v1", budget_s=60, most=6)
    lines = read_curves(tmp_path)
    assert len(lines) >= 3
    assert [row["step"] for row in lines] == list(range(1, len(lines) + 1))
    asked, Dialled.asked = Dialled.asked, []
    second = tune(contest(), "predict.dialled.v1", budget_s=60, most=6)
    assert Dialled.asked == asked
    assert first is not None
    assert second is not None
    assert first.loss == second.loss


def test_time_is_kept() -> None:
    started = time.perf_counter()
    assert tune(contest(), "predict.dialled.v1", budget_s=0.0) is None
    tune(contest(), "predict.dialled.v1", budget_s=0.3, most=10_000)
    assert time.perf_counter() - started < 5
