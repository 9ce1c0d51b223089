"""``text-ranking``: BERT as a recommender, beside a model of ids and fused with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.engine import measure, readers
from storewise.engine.cold import texts_of
from storewise.engine.history import read_history
from storewise.engine.protocols import base
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.shop import ShopByTime
from storewise.engine.registry import component_names
from storewise.metrics import intervals, ranking
from storewise.recommend.choose.select import EASE, KNN, POPULAR, select
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.content import Content
from storewise.understand.base import Vectors
from storewise.understand.finetune.tower import Tower

VALIDATION, TEST, FULL_MINUTES = 200, 500, 8.0
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)
TEXTS = ("frozen", "two-tower", "cross-encoder")
Lists = npt.NDArray[np.int32]


@dataclass
class _Window:
    """``scores``: name → (b, n_products), masked; ``candidates`` (b, depth): the id model's best."""

    task: Task
    scores: dict[str, Vectors]
    candidates: npt.NDArray[np.int64]
    seconds: dict[str, float]

    def values(self, scores: Vectors) -> npt.NDArray[np.float64]:
        """(b, 2): NDCG and recall of each shopper."""
        top = ranking.top_k(scores, self.task.k, self.task.relevant)
        return np.nan_to_num(
            np.stack([ranking.ndcg(top, self.task.relevant), ranking.recall(top, self.task.relevant)], 1)
        )

    def fused(self, text: str, weight: float) -> Vectors:
        """The id model's candidates by z(id) + weight · z(text), each standardised over a shopper's candidates."""
        rows = np.arange(len(self.candidates))[:, None]
        told = self.candidates >= 0
        ids, other = (
            np.where(told, self.scores[name][rows, self.candidates], -np.inf) for name in ("id", text)
        )
        out = np.full_like(self.scores["id"], -np.inf)
        value = standardised(ids) + np.float32(weight) * standardised(other)
        r, c = np.nonzero(told)
        out[r, self.candidates[r, c]] = value[r, c]
        return out


class TextRanking:
    """What known customers buy for the first time in the last 28 days, the 28 before validate; the same customers,
    drawn once, for every row. Examples, id model and readers of a window know only what lies before it: all are
    trained once for validation and again for the test."""

    name = "text-ranking"
    about = "next new purchases by time: ids, histories read as text, and both, k = 10"
    reads = ("data",)

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`. ``models``: of ids, the best of which is taken.

        Raises:
            DataError: for data that cannot be read or split, or have no titles.
            MissingExtra: without torch, transformers or peft.
        """
        scale = min(1.0, budget_s / (0.6 * 60 * FULL_MINUTES))
        history = read_history(inputs.data)
        titles = list(texts_of(history.whole))
        question = ShopByTime(self.name).questions_of(history)[1]
        fold = next(iter(question.folds()))
        names = [KNN, EASE] if models is None else component_names(models, "retrieve")
        chosen = select(
            question.train, question.validation, candidates=[*names, POPULAR], budget_s=0.15 * budget_s, seed=seed,
            progress=progress,
        )  # fmt: skip
        best = next((c for c in chosen.choices if c.name != POPULAR), None)
        if best is None:
            raise DataError("No model of ids is left beside popularity.", next_step="Name one with --models.")

        def ranker(dataset: Dataset, name: str = best.name) -> Any:
            return chosen.refit(dataset, seed=seed, names=[name])[name]

        def window(dataset: Dataset, task: Task, most: int) -> _Window:
            part = drawn(task, max(1, round(scale * most)), spawn(seed, "text-ranking", "shoppers", most))
            popular = ranker(dataset, POPULAR)
            return _window(dataset, part, titles, ranker, popular, _config(scale), seed, progress)

        validation = window(question.train, question.validation, VALIDATION)
        weights = {text: best_weight(validation, text) for text in TEXTS}
        test = window(fold.train, fold.test, TEST)
        rows = _rows(validation, test, weights, best.name, seed)
        reason = (
            f"Best ndcg@10 on {len(validation.task)} validation customers, drawn from {len(question.validation)}; "
            f"the test asks {len(test.task)} of {len(fold.test)}. The id model is {best.name}, chosen on all "
            f"validation customers; re-rankers and fusions order its first {_config(scale).depth}."
        )
        told = {"data": base.span(history.whole), "about": self.about, "question": question.name}
        return {**told, "reason": reason, "rows": rows, "others": []}


def _config(scale: float) -> readers.ReaderConfig:
    """Fewer steps where the budget is smaller than the full one."""
    plain = readers.ReaderConfig()
    steps = {name: max(1, round(scale * getattr(plain, name))) for name in ("tower_steps", "cross_steps")}
    return plain.model_copy(update=steps)


def drawn(task: Task, most: int, rng: np.random.Generator) -> Task:
    """At most ``most`` shoppers of a task."""
    if len(task) <= most:
        return task
    rows = np.sort(rng.choice(len(task), most, replace=False))
    seen = None if task.seen is None else task.seen[rows]
    return Task(task.histories.take(rows), task.relevant[rows], seen, task.k, task.metric)


def _window(
    dataset: Dataset, task: Task, titles: list[str], ranker: readers.Ranker, popular: Any,
    config: readers.ReaderConfig, seed: int, progress: Progress,
) -> _Window:  # fmt: skip
    clock = time.perf_counter()
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal clock
        seconds[name], clock = time.perf_counter() - clock, time.perf_counter()

    scores = {"popular": task.mask(popular.scores(task.histories).copy())}
    lap("popular")
    scores["id"] = task.mask(ranker(dataset).scores(task.histories).copy())
    candidates = ranking.top_k(scores["id"], config.depth).astype(np.int64)
    lap("id")
    start = Tower.load(max_length=config.max_length, bf16=True)
    content = Content()
    content.train(dataset.with_content(start.encode(titles, progress=progress)), rng=spawn(seed, "frozen"))
    scores["frozen"] = task.mask(content.scores(task.histories).copy())
    lap("frozen")
    border = float(task.histories.now.min())
    made = readers.train(dataset, titles, ranker, config, start, border=border, seed=seed, progress=progress)
    lap("training")
    scores["two-tower"] = task.mask(made.two_tower(task.histories))
    lap("two-tower")
    found = made.cross(task.histories, candidates, progress)
    scores["cross-encoder"] = np.full_like(scores["id"], -np.inf)
    r, c = np.nonzero(candidates >= 0)
    scores["cross-encoder"][r, candidates[r, c]] = found[r, c]
    lap("cross-encoder")
    return _Window(task, scores, candidates, seconds)


def standardised(scores: Vectors) -> Vectors:
    """(b, m) rows of mean 0 and deviation 1 over their finite entries; what is not finite lies at the smallest.

    >>> standardised(np.array([[1.0, 3.0, -np.inf]], np.float32)).round(2).tolist()
    [[-1.0, 1.0, -1.0]]
    """
    known = np.isfinite(scores)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    plain = np.where(known, scores, 0.0)
    mean = plain.sum(1, keepdims=True) / count
    deviation = np.sqrt((np.where(known, plain - mean, 0.0) ** 2).sum(1, keepdims=True) / count)
    found = np.where(known, (plain - mean) / np.maximum(deviation, 1e-9), np.inf)
    lowest = np.where(known.any(1, keepdims=True), found.min(1, keepdims=True), 0.0)
    return np.where(known, found, lowest).astype(np.float32)


def best_weight(window: _Window, text: str) -> float:
    """Of ``WEIGHTS``, by NDCG on this window; the smaller one of equals (0 leaves the text out)."""
    return max(WEIGHTS, key=lambda weight: (window.values(window.fused(text, weight))[:, 0].mean(), -weight))


def _rows(
    validation: _Window, test: _Window, weights: dict[str, float], component: str, seed: int
) -> list[dict[str, Any]]:
    def answers(window: _Window) -> dict[str, npt.NDArray[np.float64]]:
        found = {name: window.values(scores) for name, scores in window.scores.items()}
        return found | {f"id + {text}": window.values(window.fused(text, w)) for text, w in weights.items()}

    before, after = answers(validation), answers(test)
    best = max(before, key=lambda name: before[name][:, 0].mean())
    rows = []
    for name, values in after.items():
        text = name.removeprefix("id + ")
        figures = dict(zip(("ndcg@10", "recall@10"), intervals.mean(values, seed=seed), strict=True))
        if name not in ("popular", "id"):
            for place, metric in enumerate(("ndcg", "recall")):
                figures[f"{metric} gained"] = intervals.paired_difference(
                    values[:, place], after["id"][:, place], seed=seed
                )
        rows.append({
            "model": name, "selected": name == best, "simple": name == "popular",
            "seconds": round(test.seconds[text], 1), "metrics": measure.as_json(figures),
            "validation": float(before[name][:, 0].mean()), "weight": weights.get(text) if text != name else None,
            "component": component if name.startswith("id") else None,
        })  # fmt: skip
    return rows
