"""What all networks share: a config, training by one loop, serving with NumPy, plain arrays as state."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays, Component
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Trial, Values
from storewise.predict.models.labels import require_event
from storewise.predict.networks import embed, explain
from storewise.predict.networks.embed import Embedded, Parameters
from storewise.predict.networks.fit import Examples, LoopConfig, TrainingRun, fit
from storewise.predict.networks.inputs import Reading
from storewise.predict.networks.ops import NumpyOps, Ops

CHUNK = 8192
HIDDEN = {"small": (32,), "middle": (64, 32), "large": (128, 64)}  # to try


class NetworkConfig(LoopConfig):
    """``embedding_size``: of each category, vector and history. ``most_rows``: larger tables share rows by hashing
    (0: never). The rest is of the training loop."""

    embedding_size: int = Field(default=8, ge=1, le=256)
    most_rows: int = Field(default=0, ge=0)


ConfigT = TypeVar("ConfigT", bound=NetworkConfig)


class Trained(Component[ConfigT]):
    """A network of one or more tasks: parameters by name, how rows are read, and the row all explanations start
    from."""

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self.parameters: dict[str, npt.NDArray[np.float32]] = {}
        self.reading: Reading | None = None
        self.outset: dict[str, npt.NDArray[np.float32]] = {}
        self.shift: npt.NDArray[np.float64] = np.zeros(1)
        self.best_epochs = 0.0
        self.checkpoints: Path | None = None

    @abstractmethod
    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        """Parameters of the network proper at the start, tables left out."""

    @abstractmethod
    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        """(n, tasks) log odds."""

    def learn(
        self, rows: Rows, labels: Values, held: tuple[Rows, Values] | None, *, weights: Values,
        rng: np.random.Generator, progress: Progress | None, run: TrainingRun | None,
    ) -> None:  # fmt: skip
        """Train on (n, tasks) labels; ``weights`` (tasks,) of a positive. Log odds are shifted back by ln w, so
        that weighting does not move probabilities."""
        kept = TrainingRun(root=self.checkpoints, resume=self.checkpoints is not None)
        reading = Reading.learn(rows, most_rows=self.config.most_rows)
        seed = int(rng.integers(2**62))
        start = np.random.default_rng(seed)
        p = embed.initial(reading, self.config.embedding_size, start) | self.initial(reading, start)
        if "bias" in p:  # start at the rate of the events, not at one half
            rate = float(np.clip(labels[:, 0].mean(), 1e-6, 1 - 1e-6))
            p["bias"] = np.full(1, np.log(rate / (1 - rate)) + np.log(weights[0]), np.float32)
        examples = Examples(reading.read(rows), labels.astype(np.float32))
        later = Examples(reading.read(held[0]), held[1].astype(np.float32)) if held else None
        outcome = fit(
            self.logits, p, examples, later, self.config, weights=weights.astype(np.float32), seed=seed,
            about=repr((type(self).__name__, self.config)), progress=progress, run=run or kept,
        )  # fmt: skip
        self.reading, self.parameters, self.shift = reading, outcome.parameters, np.log(weights)
        self.best_epochs = outcome.best_step / outcome.steps_an_epoch
        self.outset = explain.average(
            embed.embed(self.parameters, examples.inputs.part(slice(0, CHUNK)), NumpyOps())
        )

    def task_logits(self, rows: Rows) -> Values:
        """(n, tasks) log odds, what weighting added taken off."""
        self.require(self.reading is not None)
        assert self.reading is not None
        ops, found = NumpyOps(), []
        for start in range(0, max(len(rows), 1), CHUNK):
            inputs = self.reading.read(rows.part(np.arange(start, min(start + CHUNK, len(rows)))))
            found.append(
                np.asarray(self.logits(self.parameters, embed.embed(self.parameters, inputs, ops), ops))
            )
        return np.concatenate(found).astype(np.float64) - self.shift

    def settled(self) -> ConfigT | None:
        """As many epochs as were best, and no part held out."""
        self.require(self.reading is not None)
        return self.config.model_copy(update={"epochs": max(1, round(self.best_epochs)), "patience": 0})

    def state(self) -> Arrays:
        self.require(self.reading is not None)
        assert self.reading is not None
        return {
            **_numbered("p", self.parameters),
            **_numbered("outset", self.outset),
            **{f"reading.{name}": value for name, value in self.reading.state().items()},
            "shift": self.shift, "best_epochs": np.array([self.best_epochs]),
        }  # fmt: skip

    def restore(self, state: Arrays) -> None:
        self.parameters, self.outset = _named("p", state), _named("outset", state)
        self.reading = Reading.of_state(_part(state, "reading."))
        self.shift = np.asarray(state["shift"])
        self.best_epochs = float(state["best_epochs"][0])


class SingleConfig(NetworkConfig):
    """``balance``: positives weigh ``(negatives / positives) ** balance`` in the loss; 0: as they are."""

    balance: float = Field(default=0.0, ge=0, le=1)


SingleT = TypeVar("SingleT", bound=SingleConfig)


class Network(Trained[SingleT], Predictor[SingleT]):
    """A predictor that is a network. A row's value is its probability."""

    least_rows: ClassVar[int] = 5000

    def train(
        self,
        data: Labelled,
        *,
        validation: Labelled | None = None,
        rng: np.random.Generator,
        progress: Progress | None = None,
        run: TrainingRun | None = None,
    ) -> None:
        """See :meth:`storewise.predict.base.Predictor.train`; without ``validation`` a random tenth is held out
        for early stopping. ``run``: folder, trackers, resuming, pruning.

        Raises:
            DataError: for labels of one class, none at all, or other than 0 and 1.
            StateError: when the loss is no number any more.
            MissingExtra: without torch.
        """
        require_event(data)
        labels = np.asarray(data.labels, np.float64)
        if validation is not None and len(validation.rows):
            held = (validation.rows, np.asarray(validation.labels, np.float64)[:, None])
        else:
            held = None
        positives = float(labels.mean())
        weights = np.array([((1 - positives) / positives) ** self.config.balance])
        if self.on_validation is not None:
            kept = TrainingRun(root=self.checkpoints, resume=self.checkpoints is not None)
            run = _watched(run or kept, self.on_validation)
        self.learn(data.rows, labels[:, None], held, weights=weights, rng=rng, progress=progress, run=run)

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        """Sizes and regularisation; subclasses add their own."""
        return {
            "embedding_size": trial.suggest_categorical("embedding_size", [4, 8, 16]),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "l2": trial.suggest_float("l2", 1e-2, 100.0, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
        }

    def scores(self, rows: Rows) -> Values:
        return sigmoid(self.task_logits(rows)[:, 0])

    def contributions(self, rows: Rows) -> Contributions | None:
        """Integrated gradients (Sundararajan et al. 2017) from the average row; see
        :mod:`storewise.predict.networks.explain`."""
        self.require(self.reading is not None)
        assert self.reading is not None
        return explain.contributions(
            self.logits, self.parameters, self.reading, self.outset, rows, shift=float(self.shift[0])
        )


def _watched(run: TrainingRun, told: Callable[[int, float], None]) -> TrainingRun:
    """The run, with each validation told by its number."""
    numbers = itertools.count(1)

    def report(step: int, loss: float) -> None:
        if run.report is not None:
            run.report(step, loss)
        told(next(numbers), loss)

    return replace(run, report=report)


def sigmoid(x: Values) -> Values:
    """``1 / (1 + e^−x)`` without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _numbered(kind: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Arrays by number, their names beside: a column's name may hold what a file's name cannot."""
    names = np.array(list(arrays), dtype=np.str_)
    return {f"{kind}.names": names, **{f"{kind}.{i}": value for i, value in enumerate(arrays.values())}}


def _named(kind: str, state: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.asarray(state[f"{kind}.{i}"]) for i, name in enumerate(state[f"{kind}.names"].tolist())}


def _part(state: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name[len(prefix) :]: np.asarray(a) for name, a in state.items() if name.startswith(prefix)}
