"""The training loop of all networks: AdamW, early stopping on validation, checkpoints, curves.

The loss of a batch of B rows is the mean of the binary cross-entropies that have a label, positives of task t
weighted by w_t, plus the share of ``l2 / N · Σ |e|²`` over all table rows e that belongs to the batch (each
occurrence of a row carries ``l2 / (B · count)`` of its square: Zhou et al. 2018, eq. 6). Everything random is a
function of the seed and the step, so that a resumed run ends bit for bit like one that was never killed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core import checkpoint
from storewise.core.checkpoint import Arrays, Checkpoint
from storewise.core.config import Config, config_hash
from storewise.core.errors import StateError
from storewise.core.optional import require
from storewise.core.progress import Progress, Silent
from storewise.core.tracking import Run, open_runs
from storewise.predict.networks.augment import Augmentation, augment
from storewise.predict.networks.embed import embed
from storewise.predict.networks.inputs import Inputs
from storewise.predict.networks.ops import TorchOps

CLIP = 5.0
HELD_OUT = 0.1
LEAST_STEPS = 32  # of an epoch: small data is read in smaller batches
LEAST_BATCH = 32
Logits = Callable[[Mapping[str, Any], Any, Any], Any]


class LoopConfig(Config):
    """``l2``: on embeddings, see above. ``weight_decay``: AdamW's, on the other weights. ``validations``: a epoch.
    ``patience``: so many validations without a better one end the run (0: never, and the last weights stay).
    ``unseen``: share of the categories that is read as unseen, so that this row learns something.
    ``device``: auto takes a GPU where there is one."""

    epochs: int = Field(default=20, ge=1, le=10_000)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = Field(default=1e-4, ge=0)
    l2: float = Field(default=10.0, ge=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    unseen: float = Field(default=0.1, ge=0, lt=1)
    validations: int = Field(default=2, ge=1)
    patience: int = Field(default=6, ge=0)
    augmentation: Augmentation = Augmentation()
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class TrainingRun:
    """Around a training: ``folder`` for checkpoints and curves, or ``root``, a folder for many trainings, each under
    its fingerprint; ``resume`` from its last checkpoint, ``trackers`` by name, ``report`` (step, validation loss)
    after each validation, those of before a kill too, which may end the run by raising."""

    folder: Path | None = None
    root: Path | None = None
    resume: bool = False
    trackers: tuple[str, ...] = ()
    report: Callable[[int, float], None] | None = None


@dataclass(frozen=True)
class Examples:
    """``labels`` (n, tasks) float32; NaN where a task has none."""

    inputs: Inputs
    labels: npt.NDArray[np.float32]

    def part(self, index: Any) -> Examples:
        return Examples(self.inputs.part(index), self.labels[index])


@dataclass(frozen=True)
class Outcome:
    """``losses``: (step, validation log-loss) in time order."""

    parameters: dict[str, npt.NDArray[np.float32]]
    losses: list[tuple[int, float]]
    best_step: int
    steps_done: int
    steps_an_epoch: int


@dataclass
class _State:
    logits: Logits
    config: LoopConfig
    data: Examples
    held: Examples
    weights: npt.NDArray[np.float32]
    seed: int
    parameters: dict[str, Any]
    optimiser: Any
    device: str
    inverse_counts: dict[str, Any]
    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0
    best: Arrays = field(default_factory=dict)


def fit(
    logits: Logits, parameters: Mapping[str, Any], data: Examples, held: Examples | None, config: LoopConfig, *,
    weights: npt.NDArray[np.float32], seed: int, about: str, run: TrainingRun, progress: Progress | None = None,
) -> Outcome:  # fmt: skip
    """Train, and return the weights of the best validation. Without ``held`` a random tenth is held out, unless
    ``patience`` is 0.

    Raises:
        StateError: when the loss is no number any more.
        ConfigError: when a checkpoint belongs to another run.
        MissingExtra: without torch.
    """
    if held is None:
        data, held = _hold_out(data, seed, config)
    state = _start(logits, parameters, data, held, config, weights, seed)
    an_epoch = math.ceil(len(data.labels) / _batch_size(state))
    total, every = config.epochs * an_epoch, max(1, an_epoch // config.validations)
    mark = config_hash({
        "about": about, "seed": seed, "data": _digest(data), "held": _digest(held), "weights": weights.tolist()
    })  # fmt: skip
    if run.root is not None:
        run = replace(run, folder=run.root / mark)
    found = checkpoint.read(run.folder, mark) if run.folder is not None and run.resume else None
    if found is not None:
        _restore(state, found)
        for told in state.losses if run.report is not None else []:
            run.report(*told)
    runs = _open(run, about, state.step)
    torch = require("torch", extra="deep")
    # Products of this size gain nothing from threads, and one thread gives the same bits on every machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        while state.step < total and not _out_of_patience(state):
            stop = min(total, (state.step // every + 1) * every)
            label = f"steps {state.step + 1}–{stop} of {total}" + (f", loss {state.losses[-1][1]:.4f}" if state.losses else "")  # fmt: skip
            for _ in (progress or Silent()).track(range(state.step, stop), label=label):
                _step(state, an_epoch, total, runs)
            _validate(state, runs)
            if run.folder is not None:
                checkpoint.write(run.folder, _checkpoint(state, mark))
            if run.report is not None:
                run.report(*state.losses[-1])
    finally:
        torch.set_num_threads(threads)
        for each in runs:
            each.finish()
    kept = state.best if config.patience else _arrays(state.parameters)
    return Outcome(kept, state.losses, state.best_step, state.step, an_epoch)


def _start(
    logits: Logits, parameters: Mapping[str, Any], data: Examples, held: Examples, config: LoopConfig,
    weights: npt.NDArray[np.float32], seed: int,
) -> _State:  # fmt: skip
    torch = require("torch", extra="deep")
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    made = {
        name: torch.tensor(value, device=device, requires_grad=True) for name, value in parameters.items()
    }
    tables = [value for name, value in made.items() if name.startswith(("table.", "first."))]
    others = [value for name, value in made.items() if not name.startswith(("table.", "first."))]
    groups = [
        {"params": tables, "weight_decay": 0.0},
        {"params": others, "weight_decay": config.weight_decay},
    ]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate)
    counts = {}
    for name, rows in data.inputs.rows.items():
        seen = np.bincount(rows, minlength=len(parameters[f"table.{name}"]))
        counts[name] = torch.tensor((1 / np.maximum(seen, 1)).astype(np.float32), device=device)
    return _State(logits, config, data, held, weights, seed, made, optimiser, device, counts)


def _step(state: _State, an_epoch: int, total: int, runs: list[Run]) -> None:
    torch = require("torch", extra="deep")
    config = state.config
    index = _batch(state, an_epoch)
    rng = np.random.default_rng([state.seed, 1, state.step])
    batch = _disturbed(state.data.part(index), config, rng)
    rate = config.learning_rate
    if config.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * state.step / total))
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    generator = torch.Generator(device=state.device).manual_seed(int(rng.integers(2**62)))
    ops = TorchOps(torch, rate=config.dropout, generator=generator)
    inputs = batch.inputs.to_torch(torch, state.device)
    embedded = embed(state.parameters, inputs, ops)
    loss = _loss(torch, state, state.logits(state.parameters, embedded, ops), batch.labels, weighted=True)
    penalty = _penalty(state, inputs)
    state.step += 1
    if not bool(torch.isfinite(loss + penalty)):
        raise StateError(
            f"The loss is {float(loss.detach())} at step {state.step}.",
            next_step=f"Use a learning rate below {config.learning_rate:g}.",
        )
    state.optimiser.zero_grad()
    (loss + penalty).backward()
    torch.nn.utils.clip_grad_norm_(list(state.parameters.values()), CLIP)
    state.optimiser.step()
    for each in runs:
        each.log(state.step, {"loss": float(loss.detach()), "learning_rate": rate})


def _loss(torch: Any, state: _State, logits: Any, labels: npt.NDArray[np.float32], *, weighted: bool) -> Any:
    """Mean over the labels that are there. Unweighted: of the shifted log odds, as they are served."""
    known = torch.from_numpy(np.isfinite(labels)).to(state.device)
    y = torch.from_numpy(np.nan_to_num(labels)).to(state.device)
    w = torch.from_numpy(state.weights).to(state.device)
    if weighted:
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, y, weight=1 + y * (w - 1), reduction="none"
        )
    else:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits - w.log(), y, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def _penalty(state: _State, inputs: Inputs) -> Any:
    total = 0.0
    if state.config.l2:
        for name, rows in inputs.rows.items():
            p, rare = state.parameters, state.inverse_counts[name][rows]
            squares = p[f"table.{name}"][rows].square().sum(1) + p[f"first.{name}"][rows].square()
            total = total + state.config.l2 / len(rows) * (rare * squares).sum()
    return total


def _validate(state: _State, runs: list[Run]) -> None:
    torch = require("torch", extra="deep")
    ops, total, n = TorchOps(torch), 0.0, 0
    with torch.no_grad():
        for start in range(0, len(state.held.labels), 8192):
            part = state.held.part(slice(start, start + 8192))
            embedded = embed(state.parameters, part.inputs.to_torch(torch, state.device), ops)
            known = int(np.isfinite(part.labels).sum())
            loss = _loss(
                torch, state, state.logits(state.parameters, embedded, ops), part.labels, weighted=False
            )
            total, n = total + float(loss) * known, n + known
    value = total / max(n, 1)
    if not state.losses or value < min(loss for _, loss in state.losses):
        state.best_step, state.best = state.step, _arrays(state.parameters)
    state.losses.append((state.step, value))
    for each in runs:
        each.log(state.step, {"validation_loss": value})


def _batch_size(state: _State) -> int:
    return min(state.config.batch_size, max(LEAST_BATCH, len(state.data.labels) // LEAST_STEPS))


def _batch(state: _State, an_epoch: int) -> npt.NDArray[np.int64]:
    epoch, place = divmod(state.step, an_epoch)
    size = _batch_size(state)
    order = np.random.default_rng([state.seed, 0, epoch]).permutation(len(state.data.labels))
    return order[place * size : (place + 1) * size]


def _disturbed(batch: Examples, config: LoopConfig, rng: np.random.Generator) -> Examples:
    """Some categories read as unseen, histories augmented."""
    x = batch.inputs
    rows, histories = dict(x.rows), dict(x.histories)
    if config.unseen:
        rows = {name: np.where(rng.random(len(r)) < config.unseen, 1, r) for name, r in rows.items()}
    if config.augmentation.some and histories:
        histories = augment(histories, config.augmentation, rng)
    return Examples(Inputs(x.dense, rows, x.vectors, histories), batch.labels)


def _hold_out(data: Examples, seed: int, config: LoopConfig) -> tuple[Examples, Examples]:
    order = np.random.default_rng([seed, 2]).permutation(len(data.labels))
    size = max(1, round(HELD_OUT * len(order)))
    if not config.patience or len(order) < 2:
        return data, data.part(order[:size])
    return data.part(order[size:]), data.part(order[:size])


def _out_of_patience(state: _State) -> bool:
    since = sum(1 for step, _ in state.losses if step > state.best_step)
    return bool(state.config.patience) and since >= state.config.patience


def _open(run: TrainingRun, about: str, step: int) -> list[Run]:
    if run.folder is None:
        return []
    return open_runs(run.folder, run.trackers, config={"about": about}, resume_at=step)


def _arrays(parameters: Mapping[str, Any]) -> Arrays:
    return {name: np.array(value.detach().cpu().numpy()) for name, value in parameters.items()}


def _digest(data: Examples) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(data.labels).tobytes())
    x = data.inputs
    for block in (x.dense, *x.rows.values(), *x.vectors.values(), *x.histories.values()):
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()[:16]


def _checkpoint(state: _State, mark: str) -> Checkpoint:
    names = {id(value): name for name, value in state.parameters.items()}
    parts = {
        "now.": _arrays(state.parameters), "best.": state.best,
        "optimiser.": checkpoint.optimiser_arrays(state.optimiser, names),
    }  # fmt: skip
    arrays = {f"{prefix}{name}": a for prefix, table in parts.items() for name, a in table.items()}
    facts = {"fingerprint": mark, "step": state.step, "losses": state.losses, "best_step": state.best_step}
    return Checkpoint(facts, arrays)


def _restore(state: _State, found: Checkpoint) -> None:
    torch = require("torch", extra="deep")
    state.step, state.best_step = found.facts["step"], found.facts["best_step"]
    state.losses = [(int(step), float(loss)) for step, loss in found.facts["losses"]]
    state.best = found.part("best.")
    with torch.no_grad():
        for name, value in found.part("now.").items():
            state.parameters[name].copy_(torch.from_numpy(np.array(value)))
    checkpoint.restore_optimiser(state.optimiser, found.part("optimiser."), state.parameters)
