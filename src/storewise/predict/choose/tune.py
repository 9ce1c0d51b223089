"""Tuning a predictor within a time budget: Optuna proposes, folds judge, hopeless trials end early, searches resume."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from storewise.core.config import Config, parse
from storewise.core.rng import derive_seed
from storewise.core.study import Search
from storewise.predict.base import Values
from storewise.predict.calibration import platt
from storewise.predict.choose.contest import Contest

MOST_TRIALS = 40
INSIDE = 1_000
"""Optuna's steps: validations inside the training on a fold count from fold · 1000, the fold itself is the last."""
Pruner = Literal["median", "hyperband"]


@dataclass(frozen=True)
class Tuned:
    """The best trial of a search. ``scores`` (n,) of the validation rows; ``trials`` that were told so far."""

    config: Config
    scores: Values
    loss: float
    trials: int


def tune(
    contest: Contest,
    name: str,
    *,
    budget_s: float,
    storage: str | Path | None = None,
    most: int = MOST_TRIALS,
    least: int = 0,
    pruner: Pruner = "median",
) -> Tuned | None:
    """Search the predictor's own space for about ``budget_s``; None when it has none, or no trial was finished.

    The tree-structured Parzen estimator (Bergstra et al., 2011) proposes. A trial is ended whose log-loss, at a
    validation of its early stopping or after a fold, is above the median of the others at that point; with
    ``hyperband``, as its brackets say (Li et al., 2018). ``storage``: a file or an Optuna storage URL; a search of the
    same name in it is gone on with, its trials counted towards ``most``, their time towards ``budget_s``. So many as
    ``least`` are made, whatever the time.
    """
    import optuna

    kind = contest.kind(name)
    if (budget_s <= 0 and not least) or not kind.space(_Defaults()):
        return None
    search = Search(
        f"{name} {contest.seed}", direction="minimize", seed=derive_seed(contest.seed, name, "tune"),
        storage=storage, starts=kind.starts(), pruner=_pruner(pruner, len(contest.folds)),
    )  # fmt: skip
    until = time.perf_counter() + budget_s - search.spent_s
    for done in search.finished:
        contest.track(name, float(done.value or 0.0))
    best: list[Tuned] = []

    def objective(trial: optuna.Trial) -> float:
        values = kind.space(trial)

        def after_fold(number: int, scores: Values) -> None:
            report((number + 1) * INSIDE - 1, _loss(scores, contest.labels[: len(scores)]))

        def on_validation(fold: int, number: int, loss: float) -> None:
            report(fold * INSIDE + min(number, INSIDE - 2), loss)

        def report(step: int, loss: float) -> None:
            trial.report(loss, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        config = parse(kind.Config, values, where=name)
        limit = float("inf") if trial.number < least else until
        found = contest.run(name, config, until=limit, after_fold=after_fold, on_validation=on_validation,
                            trial=True)  # fmt: skip
        if found is None:
            raise optuna.TrialPruned
        loss = _loss(found[1], contest.labels)
        trial.set_user_attr("config", values)
        contest.track(name, loss)
        if not best or loss < best[0].loss:
            best[:] = [Tuned(found[0], found[1], loss, 0)]
        return loss

    while (made := len(search.done)) < most and (
        made < least or time.perf_counter() + 0.5 * search.longest_s < until
    ):
        search.try_one(objective)
        contest.sweep_trial()
    return _best(search, contest, name, best)


def _best(search: Search, contest: Contest, name: str, best: list[Tuned]) -> Tuned | None:
    """The best trial, run again where an earlier search found it."""
    done = [trial for trial in search.finished if "config" in trial.user_attrs]
    if not done:
        return None
    leader = min(done, key=lambda trial: float(trial.value or 0.0))
    least = float(leader.value or 0.0)
    if not best or least < best[0].loss - 1e-12:
        found = contest.run(name, leader.user_attrs["config"])
        assert found is not None
        return Tuned(found[0], found[1], least, len(search.done))
    return Tuned(best[0].config, best[0].scores, best[0].loss, len(search.done))


def _pruner(name: Pruner, folds: int) -> Any:
    import optuna

    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=folds * INSIDE)
    return optuna.pruners.MedianPruner(n_startup_trials=4)


def _loss(scores: Values, labels: Values) -> float:
    if labels.min() == labels.max():
        return float("nan")
    p = platt(scores, labels)(scores)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


class _Defaults:
    """Answers like a trial, to see whether there is a space at all."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return low

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return choices[0]
