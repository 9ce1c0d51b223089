"""What a training of a network is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.predict.networks.augment import Augmentation
from storewise.predict.networks.inputs import Inputs


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
