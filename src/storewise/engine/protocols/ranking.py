"""``ranking``: is a second stage worth it? Retrieved lists beside the same candidates ranked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.engine import measure
from storewise.engine.history import History, read_history
from storewise.engine.protocols import base
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.shop import ShopByTime
from storewise.engine.ranking import second_stage
from storewise.engine.registry import component_names, registry
from storewise.engine.stages import RankConfig
from storewise.metrics import intervals
from storewise.recommend.choose.select import FUSION, Selection, select
from storewise.recommend.choose.task import Task
from storewise.recommend.rank.base import Ranker
from storewise.recommend.rank.candidates import Sources
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.rank.stage import Ranked, replayed

RANKED = "retrieve + rank"


@dataclass(frozen=True)
class _Trained:
    """``told``: why validation serves the ranker, or does not; ``better``: it does."""

    sources: Sources
    ranker: Ranker[Any] | None
    better: bool
    told: str


class Ranking:
    """The question of ``shop`` (next purchases of known customers, by time), asked with repeats and without. Retrievers
    are chosen on validation as always; the ranker learns from moments before and is served where validation says
    so. The test is asked once: every single retriever, the retrieved order that would be served, and the ranked one.

    ``ratio_best@10`` is NDCG over that of the single retriever that is best **on the test**, ``ratio_served@10``
    over the retrieved order, shoppers in pairs. ``ece``: of the chance of a purchase, over all candidates.
    """

    name = "ranking"
    about = "retrieved lists beside the same candidates ranked by trees, last 28 days test, k = 10"
    reads = ("data",)

    def __init__(self, config: RankConfig | None = None, *, days: float = 28.0, k: int = 10) -> None:
        self.config = config or RankConfig(use="always", sources="wide")
        self.days = days
        self.k = k

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`.

        Raises:
            DataError: for data that cannot be read or split.
        """
        history = read_history(inputs.data)
        by_time = ShopByTime(self.name, k=self.k, test_days=self.days, validation_days=self.days)
        questions = by_time.questions_of(history)
        named = None if models is None else component_names(models, "retrieve")
        sections = []
        for question in questions:
            # All the time for choosing, as other protocols give it: single retrievers are no weaker for being compared.
            selection = select(
                question.train, question.validation, candidates=named,
                budget_s=budget_s / len(questions), seed=seed, progress=progress,
            )  # fmt: skip
            sections.append({
                "question": question.name,
                **self._answer(history, question, selection, by_time.metrics, seed, progress),
            })  # fmt: skip
        return {"data": questions[0].data, "about": self.about, **sections[0], "others": sections[1:]}

    def _answer(
        self, history: History, question: base.Question, selection: Selection, metrics: Sequence[str],
        seed: int, progress: Progress,
    ) -> dict[str, Any]:  # fmt: skip
        started = time.perf_counter()
        replay = self._replay(history, question, selection, seed)
        fold = next(iter(question.folds()))
        trained = self._train(replay, question, fold, seed, progress)
        models: dict[str, Any] = dict(selection.refit(fold.train, seed=seed, progress=progress))
        if trained.ranker is not None:
            models[RANKED] = Ranked(trained.sources, trained.ranker, only_new=replay.only_new)
        seconds = {}
        answers = {}
        for name, model in models.items():
            before = time.perf_counter()
            answers[name] = measure.answer(
                model, fold.test, fold.train, metrics, label=name, progress=progress
            )
            seconds[name] = time.perf_counter() - before
        if RANKED in seconds:
            seconds[RANKED] += time.perf_counter() - started - sum(seconds.values())
        selected = RANKED if trained.better else selection.selected
        extra = self._beside(answers, selection, seed)
        if trained.ranker is not None:
            extra |= _calibration(trained, fold)
        rows = [
            _row(name, found, selected, selection, seconds[name], extra if name == RANKED else {}, seed)
            for name, found in answers.items()
        ]
        rows.sort(key=lambda row: (not row["selected"], -_ndcg(row)))
        return {"reason": f"{selection.reason} {trained.told}", "rows": rows}

    def _replay(
        self, history: History, question: base.Question, selection: Selection, seed: int
    ) -> second_stage.Replay:
        names = second_stage.refit_names(selection, self.config.sources)
        return second_stage.Replay(
            history, selection.selected,
            lambda data: selection.refit(data, seed=seed, names=names),
            self.config, self.days * second_stage.DAY_S, question.validation.seen is not None, self.k,
            question.validation.metric,
        )  # fmt: skip

    def _train(
        self,
        replay: second_stage.Replay,
        question: base.Question,
        fold: base.Fold,
        seed: int,
        progress: Progress,
    ) -> _Trained:
        """On validation as it will be for the test: moments before the border, then one more."""
        border = float(question.validation.histories.now[0])
        moments = replay.before(border, progress)
        sources = replay.sources(question.train)
        facts = replay.facts(question.train)
        first = second_stage.train_ranker(
            moments, facts, replay.config, registry(), seed=seed, progress=progress
        )
        final_sources = replay.sources(fold.train)
        if first is None:
            return _Trained(final_sources, None, False, "The past teaches too little to rank by.")
        found = second_stage.worth(sources, first, question.validation, seed=seed)
        told = f"Ranking adds {found.gain.value:+.4f} [{found.gain.low:+.4f}, {found.gain.high:+.4f}] on validation."
        last = replayed(sources, question.validation, facts)
        final = second_stage.train_ranker(
            [*moments[1:], last], replay.facts(fold.train), replay.config, registry(), seed=seed,
            progress=progress,
        )  # fmt: skip
        return _Trained(final_sources, final, found.gain.low > 0, told)

    def _beside(
        self, answers: Mapping[str, measure.Answers], selection: Selection, seed: int
    ) -> dict[str, Any]:
        if RANKED not in answers:
            return {}
        values = {name: np.nan_to_num(found.values[:, 0]) for name, found in answers.items()}
        singles = [name for name in values if name not in (FUSION, RANKED)]
        best = max(singles, key=lambda name: float(values[name].mean()))
        found: dict[str, Any] = {}
        for label, other in (("ratio_best", best), ("ratio_served", selection.selected)):
            ratio = intervals.ratio(values[RANKED][:, None], values[other][:, None], seed=seed)[0]
            found |= measure.as_json({f"{label}@{self.k}": ratio})
        gain = intervals.paired_difference(values[RANKED], values[selection.selected], seed=seed)
        return found | measure.as_json({f"ndcg_gained@{self.k}": gain})


def _calibration(trained: _Trained, fold: base.Fold) -> dict[str, Any]:
    """Of the chances of all candidates of the test; intervals by drawing shoppers are left to the figures above."""
    assert trained.ranker is not None
    asked: Task = fold.test
    moment = replayed(trained.sources, asked, ProductFacts.of(fold.train))
    scores = trained.ranker.scores(moment.histories, moment.candidates)
    chances = trained.ranker.chances(scores)
    if np.isnan(chances).any():
        return {}
    value = _ece(chances, moment.bought.astype(np.float64))
    draws = [
        _ece(chances[rows], moment.bought[rows].astype(np.float64))
        for rows in _draws(moment.candidates.row, 200)
    ]
    low, high = np.quantile(draws, [0.025, 0.975]).tolist()
    return {"ece": {"value": value, "low": low, "high": high}}


def _draws(row: npt.NDArray[np.int64], times: int) -> list[npt.NDArray[np.int64]]:
    """Candidates of shoppers drawn with replacement."""
    rng = np.random.default_rng(0)
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    stops = np.append(starts[1:], len(row))
    made = []
    for _ in range(times):
        drawn = rng.integers(0, len(starts), len(starts))
        made.append(np.concatenate([np.arange(starts[i], stops[i]) for i in drawn]))
    return made


def _row(
    name: str, found: measure.Answers, selected: str, selection: Selection, seconds: float,
    extra: Mapping[str, Any], seed: int,
) -> dict[str, Any]:  # fmt: skip
    choice = next((one for one in selection.choices if one.name == name), None)
    return {
        "model": name,
        "selected": name == selected,
        "simple": name == "retrieve.popular.v1",
        "seconds": round(seconds + (choice.seconds if choice else 0.0), 1),
        "metrics": measure.as_json(measure.figures([found], seed=seed)) | dict(extra),
        "config": choice.config.model_dump(mode="json") if choice else {},
        "validation": choice.validation if choice else None,
    }


def _ndcg(row: Mapping[str, Any]) -> float:
    return float(next(iter(row["metrics"].values()))["value"] or 0.0)


def _ece(chances: npt.NDArray[np.float64], happened: npt.NDArray[np.float64]) -> float:
    """Mean gap between the mean chance and the share of events, over 15 bins of equally many rows."""
    parts = np.array_split(np.argsort(chances, kind="stable"), 15)
    gaps = [abs(float((chances[part] - happened[part]).sum())) for part in parts]
    return sum(gaps) / max(len(chances), 1)
