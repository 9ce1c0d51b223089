"""The training loop of all networks: AdamW, early stopping on validation, checkpoints, curves.

The loss of a batch of B rows is the mean of the binary cross-entropies that have a label, positives of task t
weighted by w_t, plus the share of ``l2 / N · Σ |e|²`` over all table rows e that belongs to the batch (each
occurrence of a row carries ``l2 / (B · count)`` of its square: Zhou et al. 2018, eq. 6). Everything random is a
function of the seed and the step, so that a resumed run ends bit for bit like one that was never killed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core import checkpoint
from storewise.core.config import config_hash
from storewise.core.errors import StateError
from storewise.core.optional import require
from storewise.core.progress import Progress, Silent
from storewise.core.tracking import Run, open_runs
from storewise.predict.networks.augment import augment
from storewise.predict.networks.embed import embed
from storewise.predict.networks.inputs import Inputs
from storewise.predict.networks.ops import TorchOps
from storewise.predict.networks.settings import Examples as Examples
from storewise.predict.networks.settings import LoopConfig as LoopConfig
from storewise.predict.networks.settings import Outcome as Outcome
from storewise.predict.networks.settings import TrainingRun as TrainingRun
from storewise.predict.networks.state import Logits, State, arrays_of, digest, restore, start, to_checkpoint

CLIP = 5.0
HELD_OUT = 0.1
LEAST_STEPS = 32  # of an epoch: small data is read in smaller batches
LEAST_BATCH = 32


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
    state = start(logits, parameters, data, held, config, weights, seed)
    an_epoch = math.ceil(len(data.labels) / _batch_size(state))
    total, every = config.epochs * an_epoch, max(1, an_epoch // config.validations)
    mark = config_hash({
        "about": about, "seed": seed, "data": digest(data), "held": digest(held), "weights": weights.tolist()
    })  # fmt: skip
    if run.root is not None:
        run = replace(run, folder=run.root / mark)
    found = checkpoint.read(run.folder, mark) if run.folder is not None and run.resume else None
    if found is not None:
        restore(state, found)
        if run.report is not None:
            for told in state.losses:
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
                checkpoint.write(run.folder, to_checkpoint(state, mark))
            if run.report is not None:
                run.report(*state.losses[-1])
    finally:
        torch.set_num_threads(threads)
        for each in runs:
            each.finish()
    kept = state.best if config.patience else arrays_of(state.parameters)
    return Outcome(kept, state.losses, state.best_step, state.step, an_epoch)


def _step(state: State, an_epoch: int, total: int, runs: list[Run]) -> None:
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


def _loss(torch: Any, state: State, logits: Any, labels: npt.NDArray[np.float32], *, weighted: bool) -> Any:
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


def _penalty(state: State, inputs: Inputs) -> Any:
    total = 0.0
    if state.config.l2:
        for name, rows in inputs.rows.items():
            p, rare = state.parameters, state.inverse_counts[name][rows]
            squares = p[f"table.{name}"][rows].square().sum(1) + p[f"first.{name}"][rows].square()
            total = total + state.config.l2 / len(rows) * (rare * squares).sum()
    return total


def _validate(state: State, runs: list[Run]) -> None:
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
        state.best_step, state.best = state.step, arrays_of(state.parameters)
    state.losses.append((state.step, value))
    for each in runs:
        each.log(state.step, {"validation_loss": value})


def _batch_size(state: State) -> int:
    return min(state.config.batch_size, max(LEAST_BATCH, len(state.data.labels) // LEAST_STEPS))


def _batch(state: State, an_epoch: int) -> npt.NDArray[np.int64]:
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


def _out_of_patience(state: State) -> bool:
    since = sum(1 for step, _ in state.losses if step > state.best_step)
    return bool(state.config.patience) and since >= state.config.patience


def _open(run: TrainingRun, about: str, step: int) -> list[Run]:
    if run.folder is None:
        return []
    return open_runs(run.folder, run.trackers, config={"about": about}, resume_at=step)
