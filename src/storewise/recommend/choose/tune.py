"""Choosing one retriever's hyper-parameters on validation shoppers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed, spawn
from storewise.core.run_context import RunContext
from storewise.core.study import Search
from storewise.core.tracking import Journal
from storewise.data.dataset import Dataset
from storewise.recommend.choose import kept
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
    from optuna import Trial
    from optuna.trial import FrozenTrial

NEIGHBOURS = (100, 200, 400, 800)
GROWS: Mapping[str, Mapping[str, int]] = {"retrieve.ials.v1": {"embedding_size": 512, "epochs": 16}}
"""Sizes that make a trial slow and seldom worse: kept small while searching, doubled at the end up to this, the
first one first."""
GROWING = 0.4
"""Share of a retriever's time that is kept for that."""
MOST_TRIALS = 60
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
    """What all trials of one selection share. ``trained`` keeps each retriever's best model; ``context``: where
    trials are kept and told."""

    dataset: Dataset
    judge: Judge
    registry: Registry
    seed: int
    progress: Progress
    trained: dict[str, Retriever[Any]] = field(default_factory=dict)
    context: RunContext = field(default_factory=RunContext)

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
            root = self.context.part(name).trainings
            options = Training(watch=self.judge.value, budget_s=budget_s, root=root)
            model.train(self.dataset, rng=spawn(self.seed, name), progress=self.progress, options=options)
            model.config = model.config.model_copy(update={"epochs": model.epochs_done, "patience": 0})
        else:
            model.train(self.dataset, rng=spawn(self.seed, name))
        return model


def tune(name: str, shop: Workshop, *, budget_s: float, most: int = MOST_TRIALS) -> Choice:
    """Try configs until ``budget_s`` or ``most`` of them; at least one is always tried.

    Starts that are known to be good somewhere come first (see :mod:`storewise.core.study`). A retriever without a
    search space keeps its defaults. Where the workshop has a folder, trials that an earlier run has done count, with
    their time.
    """
    started, context = time.perf_counter(), shop.context.part(name)
    if name not in SPACES:
        model = shop.train(name, {}, final=True)
        shop.trained[name] = model
        value = shop.judge.value(model)
        context.journal.log(1, {f"validation {shop.judge.label}": value})
        return Choice(name, model.config, value, 1, time.perf_counter() - started)
    search = Search(
        name, direction="maximize", seed=derive_seed(shop.seed, name, "tune"), storage=context.search,
        starts=STARTS.get(name, ()),
    )  # fmt: skip
    earlier_s = search.spent_s
    until = started + budget_s - earlier_s
    _search(search, name, shop, until - (GROWING if name in GROWS else 0.0) * budget_s, most)
    value = float(search.study.best_value)
    if isinstance(shop.trained[name], ItemKnn):
        value = _prune(name, shop, search.best.user_attrs["config"])
    elif name in GROWS:
        value = _grow(name, shop, value, until)
    spent = earlier_s + time.perf_counter() - started
    return Choice(name, shop.trained[name].config, value, len(search.finished), spent)


def _search(search: Search, name: str, shop: Workshop, until: float, most: int) -> None:
    context = shop.context.part(name)
    made: list[Retriever[Any]] = []

    def objective(trial: Trial) -> float:
        config = SPACES[name](trial, shop.dataset)
        trial.set_user_attr("config", config)
        made[:] = [shop.train(name, config, budget_s=until - time.perf_counter())]
        if isinstance(made[0], Neural):
            trial.set_user_attr("by_epoch", list(made[0].by_epoch))
        return shop.judge.value(made[0])

    def enough() -> bool:
        nothing_to_choose = not search.best.params
        return time.perf_counter() + search.longest_s > until or nothing_to_choose

    for number, trial in enumerate(search.done, start=1):
        _tell(shop, context.journal, number, trial)
    before = len(search.done)
    if before:
        shop.trained[name] = kept.recall(name, shop, search.best)
    left = range(before, most)
    for number in shop.progress.track(left, label=f"trying {name}", total=len(left)):
        if number and enough():
            break
        search.try_one(objective)
        trial = search.done[-1]
        _tell(shop, context.journal, number + 1, trial)
        if search.best.number == trial.number:
            shop.trained[name] = made[0]
            kept.keep(context, trial, made[0])
        kept.sweep(context)
    values = [float(trial.value) for trial in search.finished if trial.value is not None]
    best = np.maximum.accumulate(values).tolist()
    context.journal.curve(f"best {shop.judge.label} by trial", range(1, len(best) + 1), best)


def _tell(shop: Workshop, journal: Journal, number: int, trial: FrozenTrial) -> None:
    """One trial's value, and a network's after each epoch."""
    if trial.value is not None:
        journal.log(number, {f"validation {shop.judge.label}": trial.value})
    by_epoch = trial.user_attrs.get("by_epoch", [])
    journal.curve(f"trial {number} {shop.judge.label} by epoch", range(1, len(by_epoch) + 1), by_epoch)


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
