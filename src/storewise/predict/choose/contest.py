"""Training a predictor on folds and asking it about the rows after them: what every attempt and every trial does."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from storewise.core.config import Config, parse
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.core.tracking import Run
from storewise.predict.base import Labelled, Predictor, Values

TRIAL = "trial"
STOPPING_SHARE = 0.15  # of the training rows, the latest: when to stop is read off them


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, oldest first, and later rows to judge by."""

    train: Labelled
    later: Labelled


def fit(
    registry: Registry,
    name: str,
    config: Config | Mapping[str, Any] | None,
    data: Labelled,
    *,
    seed: int,
    progress: Progress | None = None,
    on_validation: Callable[[int, float], None] | None = None,
    checkpoints: Path | None = None,
) -> tuple[Predictor[Any], Config]:
    """A predictor trained on (n,) rows, oldest first, and its config as early stopping left it.

    One that stops early learns from the first 85 % and stops by the rest; where it can say when that was, it then
    learns from all rows for as long. ``on_validation``: told of each validation on the way there. ``checkpoints``: a
    folder that a network's trainings are kept in.
    """
    made = _create(registry, name, config)
    made.on_validation, made.checkpoints = on_validation, checkpoints
    cut = int(len(data.labels) * (1 - STOPPING_SHARE))
    tail = data.labels[cut:]
    usable = len(tail) > 0 and tail.min() < tail.max() and data.labels[:cut].min() < data.labels[:cut].max()
    if not made.stops_early or not usable:
        made.train(data, rng=spawn(seed, name), progress=progress)
        return made, made.config
    head, rest = (_part(data, np.arange(a, z)) for a, z in ((0, cut), (cut, len(data.labels))))
    made.train(head, validation=rest, rng=spawn(seed, name), progress=progress)
    settled = made.settled()
    if settled is None:
        return made, made.config
    again = _create(registry, name, settled)
    again.checkpoints = checkpoints
    again.train(data, rng=spawn(seed, name), progress=progress)
    return again, made.config


@dataclass(frozen=True)
class Contest:
    """What all attempts of one choice share. ``checkpoints``: a folder for the trainings of networks."""

    registry: Registry
    folds: tuple[Fold, ...]
    seed: int
    progress: Progress
    tracker: Run | None = None
    checkpoints: Path | None = None
    _steps: Iterator[int] = field(default_factory=lambda: itertools.count(1), compare=False)

    @cached_property
    def labels(self) -> Values:
        """(n,) of all validation rows, fold after fold."""
        return np.concatenate([fold.later.labels for fold in self.folds])

    def track(self, name: str, loss: float) -> None:
        """Write the log-loss of an attempt or a trial where the choice is tracked."""
        if self.tracker is not None:
            self.tracker.log(next(self._steps), {f"{name}/validation log loss": loss})

    def sweep_trial(self) -> None:
        """Trainings of a trial that is done need no checkpoints."""
        if self.checkpoints is not None:
            shutil.rmtree(self.checkpoints / TRIAL, ignore_errors=True)

    def kind(self, name: str) -> type[Predictor[Any]]:
        """The predictor's class.

        Raises:
            UnknownName: when there is none.
        """
        found = self.registry.get(name)
        assert issubclass(found, Predictor)
        return found

    def run(
        self,
        name: str,
        config: Config | Mapping[str, Any] | None,
        *,
        until: float = float("inf"),
        after_fold: Callable[[int, Values], None] | None = None,
        on_validation: Callable[[int, int, float], None] | None = None,
        trial: bool = False,
    ) -> tuple[Config, Values] | None:
        """The config, and the scores (n,) of all validation rows; None when ``until`` would pass before the end.

        ``after_fold`` is told the scores so far, ``on_validation`` each validation inside a training (fold, number,
        log-loss); both may raise to end the run. ``trial``: its checkpoints are of no use once it is done.
        """
        started, found = time.perf_counter(), []
        used: Config | None = None
        where = None if self.checkpoints is None else self.checkpoints / (TRIAL if trial else name)
        for number, fold in enumerate(self.folds):
            told = None if on_validation is None else partial(on_validation, number)
            made, used = fit(
                self.registry, name, config, fold.train, seed=self.seed, on_validation=told, checkpoints=where
            )
            found.append(np.clip(made.scores(fold.later.rows), 0.0, 1.0))
            if after_fold is not None:
                after_fold(number, np.concatenate(found))
            spent = time.perf_counter() - started
            left = len(self.folds) - number - 1
            if left and time.perf_counter() + spent / (number + 1) * left > until:
                return None
        assert used is not None
        return used, np.concatenate(found)


def _create(registry: Registry, name: str, config: Config | Mapping[str, Any] | None) -> Predictor[Any]:
    kind = registry.get(name)
    assert issubclass(kind, Predictor)
    return kind(config if isinstance(config, Config) else parse(kind.Config, config or {}, where=name))


def _part(data: Labelled, places: Any) -> Labelled:
    return Labelled(data.rows.part(places), data.labels[places])
