"""Whether a training run serves a ranker: its worth on validation, and what the dial would do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.artifact import Artifact
from storewise.core.progress import Progress, step
from storewise.core.registry import Registry
from storewise.core.rng import derive_seed
from storewise.data.dataset import Dataset
from storewise.engine import measure
from storewise.engine.history import History
from storewise.engine.pipeline import Pipeline
from storewise.engine.ranking.pareto import pareto, places_of, products_of
from storewise.engine.ranking.second_stage import DAY_S, Prepare, Refit, Replay, train_ranker
from storewise.engine.serving.second_stage import ranker_artifact
from storewise.engine.validation import METRICS, Row, Validation
from storewise.metrics import ranking
from storewise.metrics.intervals import Interval, mean, paired_difference
from storewise.recommend.choose.task import Task
from storewise.recommend.rank.base import Moment, Ranker, Scores
from storewise.recommend.rank.candidates import Sources
from storewise.recommend.rank.stage import replayed
from storewise.recommend.retrieve.base import Retriever

ROLE = "ranker"


@dataclass(frozen=True)
class SecondChoice:
    """``ranker`` and ``sources`` (trained on everything): None where nothing could be trained. ``serves``: False for a
    shadow, which the snapshot carries to be looked at beside the retrieved order. ``row``: its line of the evaluation;
    ``pareto``: one row a dial; ``reason``: why, in a sentence."""

    reason: str
    ranker: Ranker[Any] | None = None
    sources: Sources | None = None
    row: Row | None = None
    pareto: tuple[dict[str, Any], ...] = ()
    name: str = ""
    window_days: float = 0.0
    serves: bool = False

    def artifact(self, facts: dict[str, Any]) -> dict[str, Artifact]:
        """The snapshot's part, by role; nothing where no ranker was trained."""
        if self.ranker is None or self.sources is None:
            return {}
        made = ranker_artifact(
            self.name, self.ranker, self.sources, facts, window_days=self.window_days, serves=self.serves,
            why=self.reason,
        )  # fmt: skip
        return {ROLE: made}


def choose_ranker(
    shop: Dataset,
    history: History,
    validation: Validation | None,
    pipeline: Pipeline,
    registry: Registry,
    *,
    served: str,
    trained: Mapping[str, Retriever[Any]],
    fitted: Mapping[str, Retriever[Any]],
    refit: Refit | None,
    prepare: Prepare,
    margin_minor: npt.NDArray[np.float64],
    seed: int,
    progress: Progress,
) -> SecondChoice:
    """Replay, train, measure beside the retrieved order, train again with the validation days.

    ``trained`` and ``fitted``: the retrievers of candidates, trained on everything and on the part before validation;
    ``refit`` trains them on another part.
    """
    config = pipeline.rank
    if config.use == "never":
        return SecondChoice("The pipeline file leaves ranking out.")
    if validation is None or refit is None:
        return SecondChoice("Without validation shoppers nothing is ranked.")
    started = time.perf_counter()
    border, k = float(validation.task.histories.now[0]), validation.task.k
    window_s = shop.interactions.end - border
    replay = Replay(
        history, served, refit, config, window_s, pipeline.policy.repeats == "hide", k,
        validation.task.metric, prepare,
    )  # fmt: skip
    moments = replay.before(border, progress)
    fit = validation.fit
    facts = replay.facts(fit)
    first = train_ranker(moments, facts, config, registry, seed=seed, progress=progress)
    if first is None:
        return SecondChoice("The past teaches too little to rank by.")
    with step(progress, "ranking the validation lists"):
        sources = replay.sources(fit, fitted)
        asked = validation.task  # all of them: what is judged by few shoppers is judged by chance
        lesson = replayed(sources, asked, facts)
        scores = first.scores(lesson.histories, lesson.candidates)
        retrieved = lesson.candidates.parts[:, 0].astype(np.float64)
        before, after = (_values(lesson, told, asked, k) for told in (retrieved, scores))
        gain = paired_difference(
            after[replay.metric], before[replay.metric], seed=derive_seed(seed, "ranking") % 2**32
        )
        intervals = mean(np.stack(list(after.values()), axis=1), seed=seed)
        named = zip((f"{name}@{k}" for name in after), intervals, strict=True)
        figures = measure.as_json({**dict(named), f"{replay.metric} gained@{k}": gain})
        dials = pareto(
            lesson, scores, first.chances(scores), margin_minor, asked.relevant,
            dials=pipeline.objective.dials, k=k, seed=seed,
        )  # fmt: skip
    told = f"On {len(asked):,} validation shoppers ranking adds {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] to {replay.metric}@{k}"
    better = gain.low > 0 or config.use == "always"
    seconds = round(time.perf_counter() - started, 1)
    row = Row(config.component, "ranker", better, seconds, figures)
    final = train_ranker(
        [*moments[1:], lesson], replay.facts(shop), config, registry, seed=seed, progress=progress
    )
    return SecondChoice(
        f"{told}{_verdict(gain, better)}", final, replay.sources(shop, trained), row, tuple(dials),
        config.component, window_s / DAY_S, better,
    )  # fmt: skip


def _verdict(gain: Interval, better: bool) -> str:
    """What follows from the gain: more than chance, asked for by the owner all the same, or a shadow.

    >>> _verdict(Interval(0.003, -0.001, 0.007), False)
    ', no more than chance: the retrieved order serves, the ranker is kept as a shadow beside it.'
    >>> _verdict(Interval(-0.007, -0.013, -0.001), True)
    ', less than nothing; it serves because [rank] use = "always" says so.'
    """
    if gain.low > 0:
        return ": it serves."
    told = ", less than nothing" if gain.high < 0 else ", no more than chance"
    if better:
        return f'{told}; it serves because [rank] use = "always" says so.'
    return f"{told}: the retrieved order serves, the ranker is kept as a shadow beside it."


def _values(lesson: Moment, scores: Scores, asked: Task, k: int) -> dict[str, npt.NDArray[np.float64]]:
    """Metric → (b,) of the lists that these scores make."""
    products = products_of(lesson, places_of(lesson, scores, k))
    return {name: np.nan_to_num(ranking.METRICS[name](products, asked.relevant)) for name in METRICS}
