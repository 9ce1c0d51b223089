"""The loop: killed and resumed bit for bit, early stop, curves, clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storewise.core import checkpoint
from storewise.core.component import same_state
from storewise.core.errors import ConfigError, StateError
from storewise.core.tracking import read_curves
from storewise.predict.base import Labelled
from storewise.predict.networks.din import Din, DinConfig
from storewise.predict.networks.fit import TrainingRun

SHORT = DinConfig(
    epochs=3, patience=0, batch_size=256, schedule="cosine", augmentation={"crop": 0.5, "mask": 0.2, "reorder": 0.5}
)  # fmt: skip


class Killed(Exception):
    pass


def train(data: Labelled, later: Labelled, run: TrainingRun | None, config: DinConfig = SHORT) -> Din:
    model = Din(config)
    model.train(data, validation=later, rng=np.random.default_rng(4), run=run)
    return model


def test_a_killed_run_ends_like_one_that_was_not(data: Labelled, later: Labelled, tmp_path: Path) -> None:
    def kill(step: int, loss: float) -> None:
        if step >= 16:
            raise Killed

    whole = train(data, later, TrainingRun(tmp_path / "whole"))
    with pytest.raises(Killed):
        train(data, later, TrainingRun(tmp_path / "part", report=kill))
    again = train(data, later, TrainingRun(tmp_path / "part", resume=True))
    assert same_state(whole.state(), again.state())
    lines = read_curves(tmp_path / "part")
    assert [row["step"] for row in lines if "loss" in row] == list(
        range(1, len({r["step"] for r in lines}) + 1)
    )
    assert lines == read_curves(tmp_path / "whole")
    assert (tmp_path / "part" / "curves.svg").read_text().startswith("<svg")
    assert "epochs=3" in (tmp_path / "part" / "config.json").read_text()


def test_another_runs_checkpoint_is_refused(data: Labelled, later: Labelled, tmp_path: Path) -> None:
    short = SHORT.model_copy(update={"epochs": 1})
    train(data, later, TrainingRun(tmp_path), short)
    with pytest.raises(ConfigError, match="other data or settings"):
        train(data, later, TrainingRun(tmp_path, resume=True), short.model_copy(update={"l2": 3.0}))
    file = tmp_path / checkpoint.FOLDER / checkpoint.ARRAYS
    assert file.stat().st_size > 1000


def test_the_best_weights_are_kept(data: Labelled, later: Labelled) -> None:
    seen: list[tuple[int, float]] = []
    config = DinConfig(epochs=30, learning_rate=0.05, l2=0.0, dropout=0.0, patience=2)
    model = Din(config)
    run = TrainingRun(report=lambda step, loss: seen.append((step, loss)))
    model.train(data.rows and data, validation=later, rng=np.random.default_rng(4), run=run)
    best = min(loss for _, loss in seen)
    p = model.scores(later.rows)
    loss = -np.mean(later.labels * np.log(p) + (1 - later.labels) * np.log(1 - p))
    assert loss == pytest.approx(best, abs=1e-5)
    assert len(seen) < 60
    assert [value for _, value in seen].index(best) == len(seen) - 3
    settled: Any = model.settled()
    assert (settled.patience, settled.epochs) == (0, max(1, round(model.best_epochs)))


def test_a_loss_that_is_no_number(data: Labelled, later: Labelled) -> None:
    config = DinConfig(learning_rate=1e30, epochs=5, patience=0)
    with pytest.raises(StateError, match="Use a learning rate below 1e"):
        train(data, later, None, config)


def test_without_validation_a_part_is_held_out(data: Labelled) -> None:
    seen: list[float] = []
    model = Din(DinConfig(epochs=2))
    model.train(data, rng=np.random.default_rng(4), run=TrainingRun(report=lambda s, v: seen.append(v)))
    assert len(seen) >= 4
    assert np.isfinite(seen).all()
