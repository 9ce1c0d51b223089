"""Choose a rating predictor and its hyper-parameters on validation ratings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storewise.core.config import Config, parse
from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed, spawn
from storewise.data.dataset import Dataset
from storewise.metrics.rating import rmse
from storewise.recommend.ratings import COMPONENTS
from storewise.recommend.ratings.base import RatingPredictor

MAX_TRIALS = 60


@dataclass(frozen=True, slots=True)
class RatingChoice:
    """A component, the config validation chose for it, its validation RMSE, and what that took."""

    name: str
    config: Config
    validation: float
    trials: int
    seconds: float


@dataclass(frozen=True)
class RatingSelection:
    """All choices; ``selected`` has the lowest validation RMSE."""

    choices: tuple[RatingChoice, ...]
    selected: str
    reason: str

    def refit(self, dataset: Dataset, *, seed: int, progress: Progress) -> dict[str, RatingPredictor[Any]]:
        """Every choice trained on ``dataset``."""
        trained: dict[str, RatingPredictor[Any]] = {}
        for choice in progress.track(self.choices, label="training rating predictors"):
            model = create(choice.name, choice.config.model_dump())
            model.train(dataset, rng=spawn(seed, choice.name))
            trained[choice.name] = model
        return trained


def create(name: str, config: Mapping[str, Any] | None = None) -> RatingPredictor[Any]:
    """A new, untrained predictor.

    Raises:
        UnknownName: for a component that is not registered.
    """
    model = Registry(COMPONENTS).create(name, config)
    assert isinstance(model, RatingPredictor)
    return model


def select_ratings(
    train: Dataset,
    validation: Dataset,
    *,
    candidates: Sequence[str] | None = None,
    budget_s: float,
    seed: int,
    progress: Progress,
) -> RatingSelection:
    """Compare predictors by RMSE on ``validation.values``, each within an even share of the budget.

    A class with ``space(trial) -> dict`` is tuned by Optuna, its default config first; others have one trial.

    Raises:
        ConfigError: without candidates.
    """
    names = list(COMPONENTS) if candidates is None else list(candidates)
    if not names:
        raise ConfigError("There is no rating predictor to compare.", next_step="Name one with --models.")
    choices = []
    for place, name in enumerate(progress.track(names, label="choosing a rating predictor")):
        started = time.perf_counter()
        share = budget_s / (len(names) - place)
        choices.append(_tune(name, train, validation, share, seed))
        budget_s -= time.perf_counter() - started
    best = min(choices, key=lambda choice: choice.validation)
    return RatingSelection(
        tuple(choices), best.name, f"lowest validation RMSE, {best.validation:.4f}, of {len(choices)}"
    )


def _tune(name: str, train: Dataset, validation: Dataset, budget_s: float, seed: int) -> RatingChoice:
    import optuna

    kind = Registry(COMPONENTS).get(name)
    space = getattr(kind, "space", None)
    started = time.perf_counter()
    tried: list[tuple[float, dict[str, Any]]] = []

    def error(trial: optuna.Trial | None) -> float:
        values = {} if trial is None or space is None else space(trial)
        model = create(name, values)
        model.train(train, rng=spawn(seed, name))
        asked = validation.interactions
        assert validation.values is not None
        found = rmse(validation.values, model.predict(asked.customers, asked.products).value)
        tried.append((found, values))
        return found

    error(None)
    if space is not None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=derive_seed(seed, name) % 2**32)
        left = budget_s - (time.perf_counter() - started)
        if left > 0:
            optuna.create_study(sampler=sampler).optimize(error, n_trials=MAX_TRIALS, timeout=left)
    best = min(range(len(tried)), key=lambda i: (np.nan_to_num(tried[i][0], nan=np.inf), i))
    config = parse(kind.Config, tried[best][1], where=name)
    return RatingChoice(name, config, tried[best][0], len(tried), time.perf_counter() - started)
