"""Settings that every retrieving network has, and what may be given to one run of its training."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.optional import require
from storewise.recommend.retrieve.factors import FactorConfig


class NeuralConfig(FactorConfig):
    """``length``: the last so many events of a history are read. ``epochs``: at most so many; with ``patience`` p > 0 training ends p epochs after the best one by
    validation NDCG and the best weights are kept, with 0 it runs them all. ``batch_size``: sequences (or pairs)
    a step. ``warm_up``: steps in which the learning rate rises. ``dropout``: share of the input and hidden
    values. ``temperature``: None for inner products, else cosines divided by it. ``averaging``: weights that answer are
    the running mean of those trained, with this decay a step (0: the last ones). ``repeats``: learn how much
    likelier (or less likely) a product is once the history has it. ``content_start``: product vectors start
    as a random projection of the dataset's content. ``device``: "auto" takes a GPU when there is one."""

    length: int = Field(default=50, ge=1)
    epochs: int = Field(default=100, ge=0)
    patience: int = Field(default=5, ge=0)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0.0)
    warm_up: int = Field(default=200, ge=0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    dropout: float = Field(default=0.4, ge=0.0, lt=1.0)
    temperature: float | None = Field(default=None, gt=0.0)
    averaging: float = Field(default=0.995, ge=0.0, lt=1.0)
    repeats: bool = True
    content_start: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class Training:
    """Options of one run; none of them is part of the model.

    ``folder``: checkpoints, one an epoch; a run that finds its own goes on there, to the same weights bit for
    bit. ``root`` instead: a folder for many trainings, each under the fingerprint of its data, settings and seed.
    ``budget_s``: stop in time and keep the best epoch so far. ``watch``: value of the model, larger is
    better, asked after each epoch instead of NDCG on held-out last events. ``start``: weights of an earlier
    training of the same model to go on from. ``after_epoch``: called with the number of epochs done.
    """

    folder: Path | None = None
    root: Path | None = None
    budget_s: float | None = None
    watch: Callable[[Any], float] | None = None
    start: Arrays | None = None
    after_epoch: Callable[[int], None] | None = None


def load_torch() -> Any:
    """The library torch.

    Raises:
        MissingExtra: when it is not installed.
    """
    return require("torch", extra="deep")


def has_torch() -> bool:
    """Whether torch is installed; it is not imported."""
    return importlib.util.find_spec("torch") is not None
