"""Networks of several tasks on shared embeddings."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Rows
from storewise.predict.multitask import MultiLabelled, MultiPredictor, Table
from storewise.predict.networks import explain
from storewise.predict.networks.base import NetworkConfig, Trained, sigmoid
from storewise.predict.networks.embed import Parameters
from storewise.predict.networks.fit import TrainingRun
from storewise.predict.networks.ops import Ops


class MultiConfig(NetworkConfig):
    """``hidden``: widths of each task's tower."""

    hidden: tuple[int, ...] = Field(default=(32,), min_length=1)


MultiT = TypeVar("MultiT", bound=MultiConfig)


class MultiNetwork(Trained[MultiT], MultiPredictor[MultiT]):
    """A network with one tower a task."""

    def __init__(self, config: MultiT | None = None) -> None:
        super().__init__(config)
        self._tasks: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        return self._tasks

    def train(
        self,
        data: MultiLabelled,
        *,
        validation: MultiLabelled | None = None,
        rng: np.random.Generator,
        progress: Progress | None = None,
        run: TrainingRun | None = None,
    ) -> None:
        """See :meth:`storewise.predict.multitask.MultiPredictor.train`.

        Raises:
            DataError: when a task cannot be learned.
            StateError: when the loss is no number any more.
            MissingExtra: without torch.
        """
        data.check()
        self._tasks = data.tasks
        held = (
            (validation.rows, validation.labels) if validation is not None and len(validation.rows) else None
        )
        weights = np.ones(len(data.tasks))
        self.learn(data.rows, data.labels, held, weights=weights, rng=rng, progress=progress, run=run)

    def scores(self, rows: Rows) -> Table:
        return sigmoid(self.task_logits(rows))

    def contributions(self, rows: Rows, *, task: str) -> Contributions:
        """Integrated gradients of one task's log odds."""
        self.require(self.reading is not None)
        assert self.reading is not None
        place = self._tasks.index(task)
        return explain.contributions(
            self.logits, self.parameters, self.reading, self.outset, rows, task=place
        )

    def state(self) -> Arrays:
        return {**super().state(), "tasks": np.array(self._tasks, dtype=np.str_)}

    def restore(self, state: Arrays) -> None:
        super().restore(state)
        self._tasks = tuple(state["tasks"].tolist())


def mixture(p: Parameters, gate: str, x: Any, experts: list[Any], ops: Ops) -> Any:
    """(n, h) ``Σ_e softmax(x·G)_e · expert_e``; experts (n, h) each."""
    shares = ops.softmax(x @ p[gate])
    return (ops.stack(experts) * shares[:, :, None]).sum(1)
