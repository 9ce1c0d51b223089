"""The training loop: warm-up and linear decay, early stop on validation, checkpoints, curves.

AdamW (Loshchilov & Hutter 2019) with gradients clipped to norm 1. The learning rate of step s of S, W of warm-up::

    lr(s) = lr · min(s / W, (S − s + 1) / (S − W + 1))
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from storewise.core import checkpoint
from storewise.core.checkpoint import Arrays, Checkpoint
from storewise.core.config import Config, config_hash
from storewise.core.errors import StateError
from storewise.core.progress import Progress, Silent
from storewise.core.rng import derive_seed, spawn
from storewise.core.tracking import Run as Line
from storewise.core.tracking import open_runs
from storewise.understand.finetune.methods import Adapted
from storewise.understand.finetune.objectives import Objective
from storewise.understand.finetune.tower import Tower, require

CLIP = 1.0


class LoopConfig(Config):
    """``validate_every`` steps the score is asked and a checkpoint written; ``patience``: so many scores without
    a better one end the run (0: never). ``warmup``: share of the steps. ``may_keep_start``: the weights before
    training win where no later score is better."""

    steps: int = Field(default=100, ge=1)
    learning_rate: float = Field(default=2e-5, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    validate_every: int = Field(default=25, ge=1)
    patience: int = Field(default=3, ge=0)
    may_keep_start: bool = True


@dataclass
class Outcome:
    """``scores``: (step, score) in time order, step 0 first: before training. ``best_step``: whose weights the
    adapted tower holds. ``seconds``: of training, validation left out."""

    scores: list[tuple[int, float]]
    best_step: int
    steps_done: int
    seconds: float

    @property
    def before(self) -> float:
        return self.scores[0][1]

    @property
    def best_trained(self) -> float:
        """The best score after the start; that of the start where nothing was trained."""
        return max((score for step, score in self.scores if step), default=self.before)


@dataclass
class _Run:
    adapted: Adapted
    objective: Objective
    config: LoopConfig
    score: Callable[[Tower], float]
    optimiser: Any
    parameters: dict[str, Any]
    rng: np.random.Generator
    folder: Path | None
    fingerprint: str
    scores: list[tuple[int, float]] = field(default_factory=list)
    best_arrays: Arrays = field(default_factory=dict)
    best_step: int = 0
    step: int = 0
    seconds: float = 0.0


def fit(
    adapted: Adapted,
    objective: Objective,
    config: LoopConfig,
    *,
    score: Callable[[Tower], float],
    seed: int,
    folder: Path | None = None,
    resume: bool = False,
    loggers: tuple[str, ...] = (),
    progress: Progress | None = None,
    about: str = "",
) -> Outcome:
    """Train, and leave the weights of the best validation score in ``adapted`` (those before training, where
    nothing was better). ``score``: larger is better. ``folder``: for checkpoints and curves; with ``resume`` the
    run goes on from the last checkpoint and ends in the same weights as one that was not interrupted.
    ``about``: what the data are (a hash), so that a checkpoint of other data is refused.

    Raises:
        ConfigError: when a checkpoint belongs to another run.
        StateError: when the loss is no number any more.
    """
    run = _start(adapted, objective, config, score, seed, folder, about)
    found = checkpoint.read(folder, run.fingerprint) if folder is not None and resume else None
    lines: list[Line] = []
    if folder is not None:
        told = {
            **config.model_dump(mode="json"),
            "method": adapted.config.method,
            "objective": objective.name,
        }
        lines = open_runs(folder, loggers, config=told, resume_at=found.facts["step"] if found else 0)
    if found is not None:
        _restore(run, found)
    else:
        _validate(run, lines)
    watching = progress or Silent()
    try:
        while run.step < config.steps and not _out_of_patience(run):
            stop = min(config.steps, (run.step // config.validate_every + 1) * config.validate_every)
            label = f"steps {run.step + 1}–{stop} of {config.steps}, score {run.scores[-1][1]:.4f}"
            for _ in watching.track(range(run.step, stop), label=label):
                _step(run, lines)
            _validate(run, lines)
    finally:
        for line in lines:
            line.finish()
    _set(run.parameters, run.best_arrays)
    adapted.tower.train(False)
    return Outcome(run.scores, run.best_step, run.step, run.seconds)


def _start(
    adapted: Adapted, objective: Objective, config: LoopConfig, score: Callable[[Tower], float], seed: int,
    folder: Path | None, about: str,
) -> _Run:  # fmt: skip
    torch = require("torch")
    torch.manual_seed(derive_seed(seed, "finetune", "torch") % 2**63)
    objective.refresh(adapted.tower, 0)
    parameters = {**adapted.trained(), **{f"objective.{k}": v for k, v in objective.extra().items()}}
    optimiser = torch.optim.AdamW(
        list(parameters.values()), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    shapes = {name: list(value.shape) for name, value in parameters.items()}
    given = [
        config.model_dump(), adapted.config.model_dump(), objective.name,
        repr(getattr(objective, "config", "")), seed, about, shapes,
    ]  # fmt: skip
    return _Run(
        adapted, objective, config, score, optimiser, parameters, spawn(seed, "finetune", "batches"), folder,
        config_hash(given),
    )  # fmt: skip


def learning_rate(config: LoopConfig, step: int) -> float:
    """Of step 1 … ``config.steps``.

    >>> [round(learning_rate(LoopConfig(steps=4, warmup=0.5, learning_rate=1.0), s), 2) for s in (1, 2, 3, 4)]
    [0.5, 1.0, 0.67, 0.33]
    """
    warm = max(1, round(config.warmup * config.steps))
    down = (config.steps - step + 1) / (config.steps - warm + 1)
    return config.learning_rate * min(step / warm, down)


def _step(run: _Run, lines: list[Line]) -> None:
    torch = require("torch")
    started = time.perf_counter()
    tower = run.adapted.tower
    tower.train(True)
    if run.step:
        run.objective.refresh(tower, run.step)
    run.step += 1
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate(run.config, run.step)
    loss = run.objective.loss(tower, run.rng)
    if not bool(torch.isfinite(loss)):
        raise StateError(
            f"The loss is {float(loss.detach())} at step {run.step}.",
            next_step="Use a smaller learning rate.",
        )
    whole = loss if run.adapted.penalty is None else loss + run.adapted.penalty()
    whole.backward()
    torch.nn.utils.clip_grad_norm_(list(run.parameters.values()), CLIP)
    run.optimiser.step()
    run.adapted.after_step(run.step)  # reads the gradients
    run.optimiser.zero_grad()
    run.seconds += time.perf_counter() - started
    for line in lines:
        line.log(
            run.step, {"loss": float(loss.detach()), "learning_rate": learning_rate(run.config, run.step)}
        )


def _validate(run: _Run, lines: list[Line]) -> None:
    """Score, keep the best, write a checkpoint. The score draws no random number of training."""
    torch = require("torch")
    state = torch.get_rng_state()
    run.adapted.tower.train(False)
    found = float(run.score(run.adapted.tower))
    torch.set_rng_state(state)
    rivals = [score for step, score in run.scores if step or run.config.may_keep_start]
    if not rivals or found > max(rivals):
        run.best_step, run.best_arrays = run.step, _arrays(run.parameters)
    run.scores.append((run.step, found))
    for line in lines:
        line.log(run.step, {"score": found})
    if run.folder is not None and run.step:
        checkpoint.write(run.folder, _checkpoint(run))


def _out_of_patience(run: _Run) -> bool:
    since = sum(1 for step, _ in run.scores if step > run.best_step)
    return bool(run.config.patience) and since >= run.config.patience


def _arrays(parameters: dict[str, Any]) -> Arrays:
    return {name: np.array(value.detach().numpy()) for name, value in parameters.items()}


def _set(parameters: dict[str, Any], arrays: Arrays) -> None:
    torch = require("torch")
    with torch.no_grad():
        for name, value in arrays.items():
            parameters[name].copy_(torch.from_numpy(np.array(value)))


def _checkpoint(run: _Run) -> Checkpoint:
    names = {id(value): name for name, value in run.parameters.items()}
    plain, torch_bytes = checkpoint.random_state(run.rng)
    kept, facts = run.adapted.state()
    parts = {
        "now.": _arrays(run.parameters), "best.": run.best_arrays, "kept.": kept,
        "optimiser.": checkpoint.optimiser_arrays(run.optimiser, names),
        "objective.": run.objective.state(), "": {"torch_random": torch_bytes},
    }  # fmt: skip
    arrays = {f"{prefix}{name}": a for prefix, table in parts.items() for name, a in table.items()}
    told = {
        "fingerprint": run.fingerprint, "step": run.step, "scores": run.scores, "best_step": run.best_step,
        "seconds": run.seconds, "random": plain, "method": facts,
    }  # fmt: skip
    return Checkpoint(told, arrays)


def _restore(run: _Run, found: Checkpoint) -> None:
    facts = found.facts
    run.step, run.best_step, run.seconds = facts["step"], facts["best_step"], facts["seconds"]
    run.scores = [(int(step), float(score)) for step, score in facts["scores"]]
    _set(run.parameters, found.part("now."))
    run.best_arrays = found.part("best.")
    run.adapted.restore(found.part("kept."), facts["method"])
    run.objective.restore(found.part("objective."))
    checkpoint.restore_optimiser(run.optimiser, found.part("optimiser."), run.parameters)
    checkpoint.restore_random_state(run.rng, facts["random"], found.arrays["torch_random"])
