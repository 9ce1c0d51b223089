"""The second stage of a training run: past moments replayed, the ranker trained on them, its worth on validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed, spawn
from storewise.data.dataset import Dataset
from storewise.engine.history import History
from storewise.engine.protocols.base import over, task_of
from storewise.engine.stages import RankConfig
from storewise.metrics import ranking
from storewise.metrics.intervals import Interval, paired_difference
from storewise.recommend.choose.judge import hits_at_rank
from storewise.recommend.choose.select import Selection
from storewise.recommend.choose.task import Task
from storewise.recommend.rank.base import Moment, Ranker
from storewise.recommend.rank.candidates import Sources
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.rank.stage import Ranked, replayed
from storewise.recommend.retrieve.base import Retriever

DAY_S = 86_400.0
CHEAP = ("retrieve.repeat.v1", "retrieve.user_knn.v1", "retrieve.item_knn.v1", "retrieve.popular.v1")
"""Retrievers whose candidates are added to the served ones', where the selection tried them: each trains in about a
second, and a past moment trains them all anew."""
WIDE = ("retrieve.ials.v1", "retrieve.ease.v1")
"""Those that ``sources = "wide"`` adds: some ten seconds each for a moment of a shop of 4,700 products."""
LEAST_SHOPPERS = 250
"""Below so many shoppers in the past moments together, nothing is learned from them."""
LEAST_DAYS = 14.0
"""Of behaviour before the earliest moment."""


Refit = Callable[[Dataset], Mapping[str, Retriever[Any]]]
"""Trains the chosen retrievers on a data set: name → retriever, the served one among them."""
Prepare = Callable[[Dataset], Dataset]
"""Adds to a data set what it may know besides behaviour: content, learned on nothing later than it."""


@dataclass(frozen=True)
class Replay:
    """How past moments are made. ``served``: name of the retriever that serves; ``refit`` trains it and others;
    ``window_s``: what is bought within it counts; ``only_new``: of products never bought before."""

    history: History
    served: str
    refit: Refit
    config: RankConfig
    window_s: float
    only_new: bool
    k: int
    metric: str = "ndcg"
    prepare: Prepare = field(default=lambda data: data)

    def sources(self, data: Dataset, made: Mapping[str, Retriever[Any]] | None = None) -> Sources:
        """Of ``made``, the retrievers trained on ``data`` where the caller has them already."""
        made = made or self.refit(data)
        more = {name: found for name, found in made.items() if name != self.served}
        return Sources.of(made[self.served], self.served, more, depth=self.config.depth)

    def task(self, data: Dataset, now: float) -> Task | None:
        """What known customers bought in the window after ``now``; None when nobody did."""
        whole = self.history.whole
        at = whole.interactions.at
        after = whole.interactions.select((at >= now) & (at < now + self.window_s))
        if data.n_customers != after.n_customers:
            after = over(after, data.n_customers)
        known = np.diff(data.interactions.indptr) > 0
        known[len(whole.customer_ids) :] = False
        asked = np.flatnonzero(known & (np.diff(after.indptr) > 0))
        if len(asked) > self.config.shoppers:
            asked = asked[np.linspace(0, len(asked) - 1, self.config.shoppers).astype(np.int64)]
        chosen = np.zeros(len(known), bool)
        chosen[asked] = True
        try:
            return task_of(
                data.interactions, after, k=self.k, metric=self.metric, masked=self.only_new,
                only_new=self.only_new, known=chosen, now=now,
            )  # fmt: skip
        except DataError:
            return None

    def moment(self, now: float) -> Moment | None:
        """``now`` replayed: retrievers trained on what was known before, asked for those who bought after."""
        data = self.history.until(now)
        at = data.interactions.at
        if not len(at) or now - float(at.min()) < LEAST_DAYS * DAY_S:
            return None
        task = self.task(data, now)
        return None if task is None else replayed(self.sources(self.prepare(data)), task, self.facts(data))

    def facts(self, data: Dataset) -> ProductFacts:
        """Without content: where it was tried it added nothing to what the retrievers say, and learning joint vectors
        anew for each moment costs more than all the rest."""
        return ProductFacts.of(data.with_content(None))

    def before(self, border: float, progress: Progress) -> list[Moment]:
        """The moments whose windows end at ``border`` or earlier, oldest first."""
        times = [border - (i + 1) * self.window_s for i in range(self.config.moments)][::-1]
        made = [self.moment(now) for now in progress.track(times, label="replaying past moments")]
        return [moment for moment in made if moment is not None]


def refit_names(selection: Selection, sources: str = "cheap") -> list[str]:
    """The retrievers that candidates come from: what serves, and of those that were tried the cheap ones; ``wide``:
    more of them."""
    tried = {choice.name for choice in selection.choices}
    more = (*CHEAP, *WIDE) if sources == "wide" else CHEAP
    return list(dict.fromkeys([selection.selected, *(name for name in more if name in tried)]))


def train_ranker(
    moments: Sequence[Moment], facts: ProductFacts, config: RankConfig, registry: Registry, *, seed: int,
    progress: Progress,
) -> Ranker[Any] | None:  # fmt: skip
    """A trained ranker, or None where the past teaches too little."""
    shoppers = sum(len(moment.histories) for moment in moments)
    if len(moments) < 2 or shoppers < LEAST_SHOPPERS:
        return None
    ranker = registry.create(config.component, config.config)
    assert isinstance(ranker, Ranker)
    try:
        ranker.train(moments, facts=facts, rng=spawn(seed, config.component), progress=progress)
    except DataError:
        return None
    return ranker


@dataclass(frozen=True)
class Worth:
    """NDCG and the like of each validation shopper, (b,), retrieved and ranked; ``gain`` of ranking."""

    retrieved: Any
    ranked: Any
    gain: Interval


def worth(sources: Sources, ranker: Ranker[Any], task: Task, *, seed: int) -> Worth:
    """The same candidates in the retrieved and in the ranked order, shoppers in pairs."""
    only_new = task.seen is not None
    values = [each(Ranked(sources, which, only_new=only_new), task) for which in (None, ranker)]
    gain = paired_difference(values[1], values[0], seed=derive_seed(seed, "ranking") % 2**32)
    return Worth(values[0], values[1], gain)


def each(model: Retriever[Any], task: Task) -> Any:
    """(b,): the task's metric of each shopper."""
    lists, start = [], 0
    for part in task.histories.batches(512):
        scores = task.mask(model.scores(part), start)
        lists.append(hits_at_rank(scores, task.k, task.relevant[start : start + len(part)]))
        start += len(part)
    return ranking.METRICS[task.metric](np.concatenate(lists), task.relevant)
