"""Where a training of a network stands: weights, optimiser, losses so far; as a checkpoint, and back from one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core import checkpoint
from storewise.core.checkpoint import Arrays, Checkpoint
from storewise.core.optional import require
from storewise.predict.networks.settings import Examples, LoopConfig

Logits = Callable[[Mapping[str, Any], Any, Any], Any]


@dataclass
class State:
    """``best``: the weights of ``best_step``, where validation was best; ``losses``: (step, validation log-loss)."""

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


def start(
    logits: Logits, parameters: Mapping[str, Any], data: Examples, held: Examples, config: LoopConfig,
    weights: npt.NDArray[np.float32], seed: int,
) -> State:  # fmt: skip
    """The first state of a training."""
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
    return State(logits, config, data, held, weights, seed, made, optimiser, device, counts)


def arrays_of(parameters: Mapping[str, Any]) -> Arrays:
    """Plain arrays of tensors."""
    return {name: np.array(value.detach().cpu().numpy()) for name, value in parameters.items()}


def digest(data: Examples) -> str:
    """A hash of all that is learned from."""
    found = hashlib.sha256(np.ascontiguousarray(data.labels).tobytes())
    x = data.inputs
    for block in (x.dense, *x.rows.values(), *x.vectors.values(), *x.histories.values()):
        found.update(np.ascontiguousarray(block).tobytes())
    return found.hexdigest()[:16]


def to_checkpoint(state: State, mark: str) -> Checkpoint:
    """What a killed run goes on from."""
    names = {id(value): name for name, value in state.parameters.items()}
    parts = {
        "now.": arrays_of(state.parameters), "best.": state.best,
        "optimiser.": checkpoint.optimiser_arrays(state.optimiser, names),
    }  # fmt: skip
    arrays = {f"{prefix}{name}": a for prefix, table in parts.items() for name, a in table.items()}
    facts = {"fingerprint": mark, "step": state.step, "losses": state.losses, "best_step": state.best_step}
    return Checkpoint(facts, arrays)


def restore(state: State, found: Checkpoint) -> None:
    """The reverse of :func:`to_checkpoint`."""
    torch = require("torch", extra="deep")
    state.step, state.best_step = found.facts["step"], found.facts["best_step"]
    state.losses = [(int(step), float(loss)) for step, loss in found.facts["losses"]]
    state.best = found.part("best.")
    with torch.no_grad():
        for name, value in found.part("now.").items():
            state.parameters[name].copy_(torch.from_numpy(np.array(value)))
    checkpoint.restore_optimiser(state.optimiser, found.part("optimiser."), state.parameters)
