"""The training loop: epochs until validation stops rising, checkpoints, a time budget."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np

from storewise.core.checkpoint import Checkpoint, read, write
from storewise.core.config import config_hash
from storewise.core.progress import Progress, Silent
from storewise.core.rng import derive_seed, spawn
from storewise.data.dataset import Dataset
from storewise.recommend.retrieve.deep.held_out import HeldOut
from storewise.recommend.retrieve.deep.neural import REPEAT, Neural, Step, Weights
from storewise.recommend.retrieve.deep.training import Training, load_torch

REPEAT_RATE = 10.0
"""Times the learning rate: one number that every row teaches may move faster than the vectors."""


class Loop:
    """One run. Everything random in an epoch depends on (seed, epoch) alone, so that a run which goes on from the
    checkpoint of an epoch is the run that was never stopped."""

    def __init__(
        self, model: Neural[Any], dataset: Dataset, rng: np.random.Generator, options: Training,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self.torch = load_torch()
        self.model, self.options, self.progress = model, options, progress or Silent()
        self.seed = int(rng.integers(2**62))
        self.fingerprint = _fingerprint(model, dataset, self.seed, options)
        self.folder = options.folder
        if options.root is not None:
            self.folder = options.root / self.fingerprint[:16]
        c, self.watch = model.config, options.watch
        self.constants = model.constants(dataset)
        if c.patience and self.watch is None:
            rest, held = HeldOut.split(dataset, spawn(self.seed, "held out"))
            if len(held):
                dataset, self.watch = rest, held.value
        gpu = c.device == "cuda" or (c.device == "auto" and self.torch.cuda.is_available())
        self.device = self.torch.device("cuda" if gpu else "cpu")
        self.prepared = model.prepare(dataset)
        first = model.initial(dataset, spawn(self.seed, "initial")) | {REPEAT: np.zeros(1, np.float32)}
        if options.start is not None:
            model.fits(options.start, first)
            first = {name: np.array(options.start[name], np.float32) for name in first}
        self.weights = {name: self._tensor(array) for name, array in first.items()}
        self.running = {n: w.detach().clone() for n, w in self.weights.items()} if c.averaging else {}
        self.optimiser = self._optimiser()
        self.steps, self.values = 0, list[float]()
        self.best, self.best_epoch = self.numpy(), 0

    def run(self) -> None:
        """Train and give the model its weights."""
        c, done = self.model.config, self._resume()
        started, longest = time.perf_counter(), 0.0
        torch = self.torch
        devices = [torch.cuda.current_device()] if self.device.type == "cuda" else []
        left = range(done, c.epochs)
        with torch.random.fork_rng(devices=devices):
            for epoch in self.progress.track(left, label=f"training {self.model.label}", total=len(left)):
                if self._patience_is_out():
                    break
                before = time.perf_counter()
                self._epoch(epoch)
                self._judge(epoch + 1)
                self._save(epoch + 1)
                if self.options.after_epoch is not None:
                    self.options.after_epoch(epoch + 1)
                longest = max(longest, time.perf_counter() - before)
                limit = self.options.budget_s
                if limit is not None and time.perf_counter() - started + longest > limit:
                    break
        self._take(self.best)
        self.model.epochs_done, self.model.by_epoch = self.best_epoch, tuple(self.values)

    def _epoch(self, epoch: int) -> None:
        c, torch = self.model.config, self.torch
        rng = spawn(self.seed, "epoch", epoch)
        torch.manual_seed(derive_seed(self.seed, "torch", epoch))
        step = Step(torch, self.device, rng)
        for batch in self.model.batches(self.prepared, rng):
            self.steps += 1
            rate = c.learning_rate * min(1.0, self.steps / max(c.warm_up, 1))
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group["times"]
            loss = self.model.loss(self.weights, batch, self.prepared, step)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            for name, mean in self.running.items():
                # Early on the mean must not remember the start: its decay rises as 1 - 1 / steps does.
                decay = min(c.averaging, self.steps / (self.steps + 10.0))
                mean.lerp_(self.weights[name].detach(), 1.0 - decay)

    def _judge(self, epoch: int) -> None:
        found = self.numpy()
        if self.watch is None:
            self.best, self.best_epoch = found, epoch
            return
        self._take(found)
        value = self.watch(self.model)
        if not self.values or value > max(self.values):
            self.best, self.best_epoch = found, epoch
        self.values.append(value)

    def _take(self, weights: Weights) -> None:
        self.model.take({**weights, **self.constants})

    def _patience_is_out(self) -> bool:
        p = self.model.config.patience
        return bool(p and self.values and len(self.values) - self.best_epoch >= p)

    def numpy(self) -> Weights:
        """The weights that answer: the running means where there are any."""
        told = self.running or self.weights
        return {name: np.array(w.detach().cpu().numpy()) for name, w in told.items()}

    def _tensor(self, array: Any) -> Any:
        return self.torch.tensor(array, device=self.device, requires_grad=True)

    def _optimiser(self) -> Any:
        c, tables = self.model.config, [w for n, w in self.weights.items() if w.ndim > 1]
        flat = [w for n, w in self.weights.items() if w.ndim == 1 and n != REPEAT]
        groups = [
            {"params": tables, "weight_decay": c.weight_decay, "times": 1.0},
            {"params": flat, "weight_decay": 0.0, "times": 1.0},
        ]
        if c.repeats:
            groups.append({"params": [self.weights[REPEAT]], "weight_decay": 0.0, "times": REPEAT_RATE})
        return self.torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=c.learning_rate, betas=(0.9, 0.98)
        )

    def _save(self, epoch: int) -> None:
        if self.folder is None:
            return
        arrays = {f"w|{n}": np.array(w.detach().cpu().numpy()) for n, w in self.weights.items()}
        arrays |= {f"mean|{n}": np.array(w.cpu().numpy()) for n, w in self.running.items()}
        arrays |= {f"best|{n}": a for n, a in self.best.items()}
        for name, weight in self.weights.items():
            for key, value in self.optimiser.state.get(weight, {}).items():
                arrays[f"adam|{name}|{key}"] = np.array(value.detach().cpu().numpy())
        facts = {
            "fingerprint": self.fingerprint, "epoch": epoch, "steps": self.steps,
            "values": self.values, "best_epoch": self.best_epoch,
        }  # fmt: skip
        write(self.folder, Checkpoint(facts, arrays))

    def _resume(self) -> int:
        """Epochs that an earlier run has done."""
        found = None if self.folder is None else read(self.folder, self.fingerprint)
        if found is None:
            return 0
        torch = self.torch
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(torch.from_numpy(found.arrays[f"w|{name}"]))
                if self.running:
                    self.running[name].copy_(torch.from_numpy(found.arrays[f"mean|{name}"]))
        for full, array in found.part("adam|").items():
            name, _, key = full.rpartition("|")
            where = "cpu" if key == "step" else self.device
            self.optimiser.state[self.weights[name]][key] = torch.from_numpy(np.array(array)).to(where)
        self.best, facts = found.part("best|"), found.facts
        self.steps, self.values = int(facts["steps"]), [float(v) for v in facts["values"]]
        self.best_epoch = int(facts["best_epoch"])
        return int(facts["epoch"])


def _fingerprint(model: Neural[Any], dataset: Dataset, seed: int, options: Training) -> str:
    """Of all that the weights depend on, but for ``watch``, which only a caller can vouch for."""
    behaviour = dataset.interactions
    arrays = [behaviour.customers, behaviour.products, behaviour.at, behaviour.weight]
    arrays += [] if dataset.content is None else [dataset.content]
    arrays += [] if options.start is None else [options.start[name] for name in sorted(options.start)]
    made = hashlib.sha256(f"{type(model).__name__} {config_hash(model.config)} {seed}".encode())
    for array in arrays:
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()
