"""Choosing one retriever's hyper-parameters on validation shoppers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed, spawn
from storewise.data.dataset import Dataset
from storewise.recommend.choose.judge import Judge
from storewise.recommend.choose.spaces import SPACES, STARTS
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.co_counts import CoCounts
from storewise.recommend.retrieve.deep.neural import Neural
from storewise.recommend.retrieve.deep.training import Training
from storewise.recommend.retrieve.ease import Ease
from storewise.recommend.retrieve.graph_filter import Graph, GraphFilter
from storewise.recommend.retrieve.item_knn import ItemKnn

if TYPE_CHECKING:
    from optuna import Study, Trial

NEIGHBOURS = (100, 200, 400, 800)
GROWS: Mapping[str, Mapping[str, int]] = {"retrieve.ials.v1": {"embedding_size": 512, "epochs": 16}}
"""Sizes that make a trial slow and seldom worse: kept small while searching, doubled at the end up to this, the
first one first."""
GROWING = 0.4
"""Share of a retriever's time that is kept for that."""
ENOUGH = 0.999
"""Fewer neighbours are taken when they reach this share of the best value: they make requests faster."""


@dataclass(frozen=True)
class Choice:
    """A retriever with the config that validation chose. ``validation``: the metric there; ``trials``: configs
    tried; ``seconds``: time that took."""

    name: str
    config: Config
    validation: float
    trials: int
    seconds: float


@dataclass
class Workshop:
    """What all trials of one selection share. ``trained`` keeps each retriever's best model."""

    dataset: Dataset
    judge: Judge
    registry: Registry
    seed: int
    progress: Progress
    trained: dict[str, Retriever[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._counts: dict[float | None, CoCounts] = {}
        self._graph: tuple[float | None, Graph] | None = None

    def counts(self, window_days: float | None) -> CoCounts:
        """The counts of a window; those of two windows at a time are kept."""
        if window_days not in self._counts:
            while len(self._counts) > 1:
                self._counts.pop(next(iter(self._counts)))
            self._counts[window_days] = CoCounts(self.dataset.interactions.latest(window_days))
        return self._counts[window_days]

    def graph(self, window_days: float | None) -> Graph:
        """The product graph of a window; the last one is kept."""
        if self._graph is None or self._graph[0] != window_days:
            self._graph = (window_days, Graph(self.dataset.interactions.latest(window_days)))
        return self._graph[1]

    def train(
        self, name: str, config: Mapping[str, Any], *, final: bool = False, budget_s: float | None = None
    ) -> Retriever[Any]:
        """A trained model; trials keep all neighbours, the final one is what ``train`` would give. A network
        stops by the judge, in ``budget_s`` at the latest, and its config then says after how many epochs."""
        model = self.registry.create(name, config)
        assert isinstance(model, Retriever)
        if isinstance(model, ItemKnn):
            model.fit(self.counts(model.config.window_days), prune=final)
        elif isinstance(model, Ease):
            model.fit(self.counts(model.config.window_days))
        elif isinstance(model, GraphFilter):
            model.fit(self.graph(model.config.window_days), rng=spawn(self.seed, name))
        elif isinstance(model, Neural):
            options = Training(watch=self.judge.value, budget_s=budget_s)
            model.train(self.dataset, rng=spawn(self.seed, name), progress=self.progress, options=options)
            model.config = model.config.model_copy(update={"epochs": model.epochs_done, "patience": 0})
        else:
            model.train(self.dataset, rng=spawn(self.seed, name))
        return model


def tune(name: str, shop: Workshop, *, budget_s: float, most: int = 60) -> Choice:
    """Try configs until ``budget_s`` or ``most`` of them; at least one is always tried.

    The tree-structured Parzen estimator (Bergstra et al. 2011) of Optuna proposes them, after starts that
    are known to be good somewhere. A retriever without a search space keeps its defaults.
    """
    import optuna

    started = time.perf_counter()
    if name not in SPACES:
        model = shop.train(name, {}, final=True)
        shop.trained[name] = model
        value = shop.judge.value(model)
        return Choice(name, model.config, value, 1, time.perf_counter() - started)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=derive_seed(shop.seed, name, "tune") % 2**32, multivariate=True, n_startup_trials=8
        )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for start in STARTS.get(name, ()):
        study.enqueue_trial(dict(start))
    until = started + budget_s
    _search(study, name, shop, until - (GROWING if name in GROWS else 0.0) * budget_s, most)
    value = float(study.best_value)
    if isinstance(shop.trained[name], ItemKnn):
        value = _prune(name, shop, study.best_trial.user_attrs["config"])
    elif name in GROWS:
        value = _grow(name, shop, value, until)
    tried = sum(trial.value is not None for trial in study.trials)
    return Choice(name, shop.trained[name].config, value, tried, time.perf_counter() - started)


def _search(study: Study, name: str, shop: Workshop, until: float, most: int) -> None:
    best = float("-inf")

    def objective(trial: Trial) -> float:
        nonlocal best
        config = SPACES[name](trial, shop.dataset)
        trial.set_user_attr("config", config)
        model = shop.train(name, config, budget_s=until - time.perf_counter())
        value = shop.judge.value(model)
        if value > best:
            best, shop.trained[name] = value, model
        return value

    longest = 0.0
    for _ in shop.progress.track(range(most), label=f"trying {name}", total=most):
        before = time.perf_counter()
        study.optimize(objective, n_trials=1)
        longest = max(longest, time.perf_counter() - before)
        nothing_to_choose = not study.best_trial.params
        if time.perf_counter() + longest > until or nothing_to_choose:
            break


def _prune(name: str, shop: Workshop, config: Mapping[str, Any]) -> float:
    """Item neighbourhood: the fewest neighbours that are as good as more."""
    made = []
    for neighbours in NEIGHBOURS:
        model = shop.train(name, {**config, "neighbours": neighbours}, final=True)
        made.append((shop.judge.value(model), model))
    best = max(found for found, _ in made)
    value, shop.trained[name] = next((found, model) for found, model in made if found >= ENOUGH * best)
    return value


def _grow(name: str, shop: Workshop, value: float, until: float) -> float:
    """Double the sizes that trials kept small, one after the other, as long as that helps and there is time."""
    took = 0.0
    for size, limit in GROWS[name].items():
        while time.perf_counter() + 3.0 * took < until:
            before = time.perf_counter()
            config = shop.trained[name].config.model_dump()
            larger = min(2 * config[size], limit)
            if larger <= config[size]:
                break
            model = shop.train(name, {**config, size: larger}, final=True)
            found = shop.judge.value(model)
            took = time.perf_counter() - before
            if found <= value:
                break
            value, shop.trained[name] = found, model
    return value
