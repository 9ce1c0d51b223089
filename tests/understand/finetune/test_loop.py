"""The loop: a killed run goes on to the same weights, early stop, curves, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from storewise.core import checkpoint
from storewise.core.errors import ArtifactError, ConfigError
from storewise.core.tracking import read_curves
from storewise.understand.finetune.contrastive import Contrastive, ContrastiveConfig
from storewise.understand.finetune.loop import LoopConfig, fit
from storewise.understand.finetune.methods import METHODS, MethodConfig, adapt
from storewise.understand.finetune.pairs import Pairs
from storewise.understand.finetune.tower import Tower

TEXTS = ["red cup", "blue cup", "red mug", "garden chair", "lamp", "set of 6 mug"]
LOOP = LoopConfig(steps=9, validate_every=3, learning_rate=1e-2, patience=0)


def objective() -> Contrastive:
    left, right = np.array([0, 2, 1]), np.array([3, 4, 5])
    seen = sparse.csr_matrix((np.ones(3), (left, right)), shape=(6, 6))
    pairs = Pairs(left, right, np.array([1.0, 2.0, 3.0]), (seen + seen.T).tocsr())
    config = ContrastiveConfig(
        batch_size=4, hard_negatives=1, refresh_steps=4, learn_temperature=True, anchor=0.1
    )
    return Contrastive(TEXTS, pairs, config)


def together(tower: Tower) -> float:
    vectors = tower.encode(TEXTS)
    return float(vectors[0] @ vectors[3])


class Killed(Exception):
    pass


def kill_at(calls: int):  # type: ignore[no-untyped-def]
    asked = 0

    def score(tower: Tower) -> float:
        nonlocal asked
        asked += 1
        if asked > calls:
            raise Killed
        return together(tower)

    return score


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_ends_like_one_that_was_not(tower: Tower, tmp_path: Path, method: str) -> None:
    config = MethodConfig(method=method, rank=2, bottleneck=4)
    whole = adapt(tower, config, steps=9, seed=1)
    expected = fit(whole, objective(), LOOP, score=together, seed=5)
    part = adapt(tower, config, steps=9, seed=1)
    with pytest.raises(Killed):
        fit(part, objective(), LOOP, score=kill_at(2), seed=5, folder=tmp_path)  # dies at step 6
    again = adapt(tower, config, steps=9, seed=1)
    found = fit(again, objective(), LOOP, score=together, seed=5, folder=tmp_path, resume=True)
    assert found.scores == expected.scores
    assert found.steps_done == 9
    for name, value in whole.trained().items():
        np.testing.assert_array_equal(value.detach().numpy(), again.trained()[name].detach().numpy())
    lines = read_curves(tmp_path)
    assert [row["step"] for row in lines if "loss" in row] == list(range(1, 10))


def test_the_best_weights_are_kept(tower: Tower) -> None:
    given = iter([0.0, 0.5, 0.9, 0.1, 0.2])
    vectors = []

    def score(tower: Tower) -> float:
        vectors.append(tower.encode(TEXTS))
        return next(given)

    adapted = adapt(tower, MethodConfig(method="full"), steps=30, seed=1)
    loop = LoopConfig(steps=30, validate_every=2, patience=2, learning_rate=1e-2)
    outcome = fit(adapted, objective(), loop, score=score, seed=5)
    assert (outcome.best_step, outcome.steps_done, outcome.before, outcome.best_trained) == (4, 8, 0.0, 0.9)
    np.testing.assert_allclose(adapted.tower.encode(TEXTS), vectors[2], atol=1e-6)


@pytest.mark.parametrize(("may_keep_start", "step"), [(True, 0), (False, 2)])
def test_whether_no_training_may_win(tower: Tower, may_keep_start: bool, step: int) -> None:
    loop = LoopConfig(steps=4, validate_every=2, may_keep_start=may_keep_start)
    given = iter([0.9, 0.5, 0.1])
    adapted = adapt(tower, MethodConfig(method="full"), steps=4, seed=1)
    assert fit(adapted, objective(), loop, score=lambda _: next(given), seed=5).best_step == step


def test_another_runs_checkpoint_is_refused(tower: Tower, tmp_path: Path) -> None:
    adapted = adapt(tower, MethodConfig(method="head"), steps=3, seed=1)
    short = LoopConfig(steps=3, validate_every=3)
    fit(adapted, objective(), short, score=together, seed=5, folder=tmp_path, about="a")
    with pytest.raises(ConfigError, match="other data or settings"):
        fit(adapted, objective(), short, score=together, seed=5, folder=tmp_path, about="b", resume=True)


def test_a_damaged_checkpoint_is_refused(tower: Tower, tmp_path: Path) -> None:
    adapted = adapt(tower, MethodConfig(method="head"), steps=3, seed=1)
    short = LoopConfig(steps=3, validate_every=3)
    fit(adapted, objective(), short, score=together, seed=5, folder=tmp_path)
    file = tmp_path / checkpoint.FOLDER / checkpoint.ARRAYS
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="is damaged"):
        fit(adapted, objective(), short, score=together, seed=5, folder=tmp_path, resume=True)


def test_a_kill_while_a_checkpoint_is_replaced_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, checkpoint.Checkpoint({"fingerprint": "f", "step": 1}, {"w": np.arange(3)}))
    (tmp_path / checkpoint.FOLDER).rename(tmp_path / f".{checkpoint.FOLDER}-before")
    found = checkpoint.read(tmp_path, "f")
    assert found is not None
    assert found.facts["step"] == 1
    assert found.arrays["w"].tolist() == [0, 1, 2]


def test_a_resumed_run_has_every_step_once_in_tensorboard_and_wandb(
    tower: Tower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs the extra track"
    )
    pytest.importorskip("wandb", reason="needs the extra track")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    config, loggers = MethodConfig(method="head"), ("tensorboard", "wandb")
    part = adapt(tower, config, steps=9, seed=1)
    with pytest.raises(Killed):
        fit(part, objective(), LOOP, score=kill_at(2), seed=5, folder=tmp_path, loggers=loggers)
    again = adapt(tower, config, steps=9, seed=1)
    found = fit(
        again, objective(), LOOP, score=together, seed=5, folder=tmp_path, loggers=loggers, resume=True
    )
    lines = read_curves(tmp_path)
    board = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in ("loss", "score"):
        told = [(row["step"], row[name]) for row in lines if name in row]
        assert [e.step for e in board.Scalars(name)] == [step for step, _ in told]
        np.testing.assert_allclose(
            [e.value for e in board.Scalars(name)], [value for _, value in told], rtol=1e-5
        )
    assert [e.step for e in board.Scalars("loss")] == list(range(1, 10))
    assert board.Scalars("score")[-1].value == pytest.approx(found.scores[-1][1], rel=1e-5)
    runs = list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(runs) == 2
    assert all(run.stat().st_size > 0 for run in runs)
