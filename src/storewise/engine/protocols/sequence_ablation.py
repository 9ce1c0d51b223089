"""``sequence-ablation``: networks over histories beside simple rules, and one setting of SASRec changed at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress, step
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.engine import measure
from storewise.engine.protocols.base import Fold, Question
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.leave_last_out import LeaveLastOut
from storewise.engine.protocols.sequence_variants import (
    NETWORKS,
    SIMPLE,
    Section,
    Variant,
    sections,
)
from storewise.engine.protocols.shop import ShopByTime
from storewise.engine.registry import component_names, registry
from storewise.metrics.intervals import Interval, paired_difference
from storewise.recommend.choose.judge import Judge
from storewise.recommend.choose.spaces import has_clock
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.deep.neural import Neural
from storewise.recommend.retrieve.deep.next_product import FULL_UP_TO
from storewise.recommend.retrieve.deep.training import Training
from storewise.understand.text.tfidf import TfidfSvd

EVENTS_A_SECOND, LEAST_EVENTS = 15, 2_000
"""Events to learn from a second of the budget: a dozen trainings of some fifteen epochs on one core."""
TRAINING = {"embedding_size": 64, "epochs": 30, "patience": 4, "batch_size": 64, "warm_up": 50}
MOST_ASKED = 4_000  # validation shoppers that say when to stop
METRICS = ("ndcg", "recall", "mrr")


@dataclass(frozen=True)
class _Told:
    """``answers``: to the test (under ``""``), and to the same asked otherwise."""

    validation: float
    answers: Mapping[str, measure.Answers]
    seconds: float
    epochs: int


@dataclass
class _Asked:
    """Every variant once: what stands in two sections is trained once."""

    question: Question
    train: Dataset
    judge: Judge
    test: Task
    variants: Mapping[str, Task]
    seed: int
    until: float
    folder: Path | None
    progress: Progress
    found: dict[str, _Told] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def ask(self, variant: Variant, *, always: bool = False) -> _Told | None:
        """None when no time is left."""
        key = f"{variant.component} {sorted(variant.config.items())} {variant.content}"
        if key not in self.found:
            if not always and time.perf_counter() > self.until:
                self.left_out.append(variant.label)
                return None
            started = time.perf_counter()
            model = self._trained(variant)
            tests = {"": self.test, **self.variants}
            answers = {
                name: measure.answer(model, task, self.train, METRICS, label=variant.label)
                for name, task in tests.items()
            }
            epochs = model.epochs_done if isinstance(model, Neural) else 0
            spent = time.perf_counter() - started
            self.found[key] = _Told(self.judge.value(model), answers, spent, epochs)
        return self.found[key]

    def _trained(self, variant: Variant) -> Retriever[Any]:
        data = self.train if variant.content else self.train.with_content(None)
        network = variant.component in NETWORKS
        config = {**(TRAINING if network else {}), **variant.config}
        model = registry().create(variant.component, config)
        assert isinstance(model, Retriever)
        rng = spawn(self.seed, "sequence-ablation", variant.component)
        if isinstance(model, Neural):
            options = Training(watch=self.judge.value, root=self.folder)
            model.train(data, rng=rng, progress=self.progress, options=options)
        else:
            model.train(data, rng=rng)
        return model


class SequenceAblation:
    """One training a row: learned from the part before validation, ended by validation, then the test asked once with
    all that was known by then. Networks have the same size and the same most epochs in every row. Of more events
    than the budget has time for, a part is taken."""

    name = "sequence-ablation"
    about = "networks over histories beside simple rules; what loss, repeats and augmented histories do"
    reads = ("data", "checkpoint")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`; ``models``: the networks to try.

        Raises:
            ConfigError: for models without a network.
            DataError: for data that cannot be used.
            MissingExtra: without torch.
        """
        until = time.perf_counter() + budget_s
        networks = NETWORKS if models is None else tuple(component_names(models, "retrieve"))
        wanted = tuple(name for name in networks if name in NETWORKS)
        if not wanted:
            raise ConfigError("No network is named.", next_step=f"Choose among {', '.join(NETWORKS)}.")
        with step(progress, "histories"):
            whole = question_of(inputs.data, seed=seed)
            asked = _part(whole, int(max(LEAST_EVENTS, EVENTS_A_SECOND * budget_s)), seed)
            train = _with_titles(asked.train, seed)
        fold = next(asked.folds())
        judge = Judge(asked.validation, most=MOST_ASKED, rng=spawn(seed, "validation shoppers"))
        folder = RunContext(inputs.checkpoint).trainings
        every = _Asked(asked, train, judge, fold.test, fold.variants, seed, until, folder, progress)
        parts = sections(wanted, content=train.content is not None, full=train.n_products <= FULL_UP_TO)
        told = [_section(section, every, seed, always=number == 0) for number, section in enumerate(parts)]
        first, *others = [section for section in told if len(section["rows"]) > 1]
        notes = [f"left out, no time: {', '.join(every.left_out)}"] if every.left_out else []
        return {
            "data": _described(asked, train, judge, fold.test), "about": self.about, "notes": notes, **first,
            "others": others,
        }  # fmt: skip


def question_of(path: Path | None, *, seed: int) -> Question:
    """The next product of sequences (a file of them, or a folder with one); else what known customers of a shop buy
    in the last 28 days."""
    if path is not None and (path.is_file() or any(path.glob("*.txt*"))):
        return LeaveLastOut().questions(path, seed=seed)[0]
    return ShopByTime("shop").questions(path, seed=seed)[0]


def _part(question: Question, events: int, seed: int) -> Question:
    """The same question with so many events to learn from: the latest of a shop, and of sequences, whose customers
    have nothing to do with one another in time, those of some customers."""
    behaviour = question.train.interactions
    if len(behaviour) <= events:
        return question
    if has_clock(question.train):
        border = np.sort(behaviour.at)[-events]
        return replace(question, train=_rows_of(question.train, behaviour.at >= border))
    order = spawn(seed, "customers").permutation(behaviour.n_customers)
    often = np.bincount(behaviour.customers, minlength=behaviour.n_customers)[order]
    kept = np.zeros(behaviour.n_customers, np.bool_)
    kept[order[: int(np.searchsorted(np.cumsum(often), events))]] = True

    def folds() -> Iterator[Fold]:
        for fold in question.folds():
            variants = {name: _asked_of(task, kept) for name, task in fold.variants.items()}
            test = _asked_of(fold.test, kept)
            train = _rows_of(fold.train, kept[fold.train.interactions.customers])
            yield Fold(train, test, variants)

    train = _rows_of(question.train, kept[behaviour.customers])
    return replace(question, train=train, validation=_asked_of(question.validation, kept), folds=folds)


def _rows_of(data: Dataset, rows: npt.NDArray[np.bool_]) -> Dataset:
    values = None if data.values is None else data.values[rows]
    return data.with_interactions(data.interactions.select(rows), values=values)


def _asked_of(task: Task, kept: npt.NDArray[np.bool_]) -> Task:
    rows = np.flatnonzero(kept[task.histories.customers])
    seen = None if task.seen is None else task.seen[rows]
    return Task(task.histories.take(rows), task.relevant[rows], seen, task.k, task.metric)


def _with_titles(data: Dataset, seed: int) -> Dataset:
    """With the words of the products' titles as content, where they have some."""
    if "title" not in data.products.columns:
        return data
    titles = data.products["title"].fill_null("").to_list()
    words = TfidfSvd()
    words.train(titles, rng=spawn(seed, "titles"))
    return data.with_content(words(titles))


def _section(section: Section, asked: _Asked, seed: int, *, always: bool) -> dict[str, Any]:
    reference = next(v for v in section.variants if v.label == section.reference)
    base = asked.ask(reference, always=True)
    assert base is not None
    rows: list[dict[str, Any]] = []
    for variant in section.variants:
        made = asked.ask(variant, always=always)
        if made is None:
            continue
        rows.append({
            "model": variant.label, "simple": variant.component == SIMPLE, "seconds": round(made.seconds, 2),
            "validation": made.validation, "epochs": made.epochs, "config": dict(variant.config),
            "metrics": measure.as_json(_figures(made, base, seed)),
        })  # fmt: skip
    best = max(rows, key=lambda row: row["validation"])
    for row in rows:
        row["selected"] = row is best
    reason = (
        f"{best['model']} has the best validation {asked.judge.label}, {best['validation']:.4f}; gained is over "
        f"{section.reference}, the same shoppers in pairs."
    )
    return {"question": section.question, "reason": reason, "rows": rows}


def _figures(made: _Told, base: _Told, seed: int) -> dict[str, Interval]:
    """Of the test, and of what is asked otherwise its first metric."""
    told, k = made.answers[""], made.answers[""].top.shape[1]
    measured = measure.figures([told], seed=seed)
    found = {name: measured[name] for name in (f"{metric}@{k}" for metric in METRICS)}
    first = f"{METRICS[0]}@{k}"
    gain = paired_difference(told.values[:, 0], base.answers[""].values[:, 0], seed=seed)
    others = {name: side for name, side in made.answers.items() if name}
    more = {f"{first} {name}": measure.figures([side], seed=seed)[first] for name, side in others.items()}
    return {**found, f"{first} gained": gain, **more}


def _described(asked: Question, train: Dataset, judge: Judge, test: Task) -> str:
    behaviour = train.interactions
    customers = int((np.diff(behaviour.indptr) > 0).sum())
    return (
        f"{asked.name}: {len(behaviour):,} events of {customers:,} customers over "
        f"{behaviour.n_products:,} products to learn from, {len(judge):,} shoppers to stop and choose by, "
        f"{len(test):,} to test"
    )
