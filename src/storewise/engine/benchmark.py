"""Run a protocol: choose on validation, train each choice again, ask the test once, write the figures.

The result is plain data of a fixed shape::

    {"protocol", "data", "command", "version", "machine", "seconds", "rows":
        [{"model", "selected", "seconds", "metrics": {"ndcg@10": {"value", "low", "high"}, …}}]}

``selected`` is true in exactly one row, the one that validation chose: that row is the claim.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress, Silent
from storewise.core.run_context import RunContext
from storewise.engine import beside, measure, protocols, provenance
from storewise.engine.protocols.base import Question, RankingProtocol
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.registry import component_names, registry
from storewise.metrics.intervals import Interval, paired_difference
from storewise.recommend.retrieve.base import Retriever

if TYPE_CHECKING:
    from storewise.recommend.choose.select import Selection

POPULAR = "retrieve.popular.v1"
TUNING_SHARE = 0.6  # of the time budget; the rest is for training again and for the test


def run(
    name: str,
    inputs: Inputs | Path | None,
    *,
    models: Sequence[str] | None = None,
    minutes: float = 30.0,
    trials: int | None = None,
    seed: int = 42,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run protocol ``name`` on ``inputs`` (a bare path stands for its ``data``) within about ``minutes``.

    ``models``: component names, in full or the middle part (``ease``); None is what the engine would choose.
    ``trials``: configs of one retriever at most, in protocols of lists.

    Raises:
        UnknownName: for a protocol or a model that does not exist.
        ConfigError: for a budget that is not positive, or a checkpoint folder of another run.
        DataError: for data that cannot be read or split.
    """
    protocols.check_name(name)
    watching = progress or Silent()
    started = time.perf_counter()
    budget_s = tuning_budget_s(minutes)
    given = inputs if isinstance(inputs, Inputs) else Inputs(data=inputs)
    context = RunContext(given.checkpoint)
    facts = {
        **{key: _described(value) for key, value in asdict(given).items() if value is not None and key != "checkpoint"},
        "protocol": name, "models": models, "minutes": minutes, "trials": trials, "seed": seed,
        "version": provenance.version(),
    }  # fmt: skip
    if name in protocols.STUDIES:
        study = protocols.STUDIES[name]
        given.refuse_others(name, study.reads)
        context.claim(facts)
        body = study.run(given, models=models, budget_s=budget_s, seed=seed, progress=watching)
    else:
        given.refuse_others(name, ("data", "checkpoint"))
        context.claim(facts)
        chosen = None if models is None else component_names(models, "retrieve")
        protocol = protocols.RANKING[name]
        questions = protocol.questions(given.data, seed=seed)
        body = ranking_body(
            protocol, questions, models=chosen, budget_s=budget_s, seed=seed, progress=watching,
            trials=trials, context=context,
        )  # fmt: skip
        body["others"] += body.pop("beside")
    return {
        "protocol": name,
        "data": body.pop("data"),
        "path": None if given.data is None else str(given.data),
        "command": command,
        "version": provenance.version(),
        "machine": provenance.machine(),
        "seed": seed,
        "minutes": minutes,
        "seconds": round(time.perf_counter() - started, 1),
        **body,
    }


def tuning_budget_s(minutes: float) -> float:
    """Seconds of a run's budget that go into choosing.

    Raises:
        ConfigError: for a budget that is not positive.
    """
    if not minutes > 0:
        raise ConfigError(f"The budget is {minutes} minutes.", next_step="Give a positive number of minutes.")
    return 60 * minutes * TUNING_SHARE


def ranking_body(
    protocol: RankingProtocol,
    questions: Sequence[Question],
    *,
    models: Sequence[str] | None,
    budget_s: float,
    seed: int,
    progress: Progress,
    trials: int | None = None,
    context: RunContext | None = None,
) -> dict[str, Any]:
    """Answer all questions of a protocol; the first is the claim, the rest are under ``others``,
    and under ``beside`` what shows the same rows otherwise."""
    share, around = budget_s / len(questions), context or RunContext()
    answered = [
        answer_question(
            question,
            protocol.metrics,
            models=models,
            budget_s=share,
            seed=seed,
            progress=progress,
            trials=trials,
            context=around.part(question.name),
        )
        for question in questions
    ]
    sections = [{"question": q.name, **a} for q, a in zip(questions, answered, strict=True)]
    more = [part for section in sections for part in beside.sections(section, section.pop("variants"))]
    told = {"data": questions[0].data, "about": protocol.about, **sections[0]}
    return told | {"others": sections[1:], "beside": more}


def answer_question(
    question: Question,
    metrics: Sequence[str],
    *,
    models: Sequence[str] | None,
    budget_s: float,
    seed: int,
    progress: Progress,
    trials: int | None = None,
    context: RunContext | None = None,
) -> dict[str, Any]:
    """Choose, train again, test: ``{"reason", "rows", "variants"}`` of one question."""
    from storewise.recommend.choose.select import select
    from storewise.recommend.choose.tune import MOST_TRIALS

    selection = select(
        question.train,
        question.validation,
        candidates=models,
        budget_s=budget_s,
        seed=seed,
        progress=progress,
        most=trials or MOST_TRIALS,
        context=context,
    )
    found: dict[str, list[measure.Answers]] = {}
    parts: dict[str, dict[str, list[measure.Answers]]] = {}
    spent: dict[str, float] = {}
    variants: list[str] = []
    for fold in question.folds():
        variants = list(fold.variants)
        trained = selection.refit(fold.train, seed=seed, progress=progress)
        if POPULAR not in trained:
            trained[POPULAR] = _popular(fold.train, seed)
        for model, retriever in trained.items():
            started = time.perf_counter()
            answers = measure.answer(
                retriever, fold.test, fold.train, metrics, label=model, progress=progress
            )
            found.setdefault(model, []).append(answers)
            sides = {name: answers.of(mask) for name, mask in fold.groups.items() if mask.any()}
            for name, task in fold.variants.items():
                sides[name] = measure.answer(retriever, task, fold.train, metrics, label=f"{model}, {name}")
            for name, side in sides.items():
                parts.setdefault(model, {}).setdefault(name, []).append(side)
            spent[model] = spent.get(model, 0.0) + time.perf_counter() - started
    rows = [
        _row(model, answers, parts.get(model, {}), found[POPULAR], selection, spent[model], seed)
        for model, answers in found.items()
    ]
    beside.above_best_single(rows, found, selection, lambda a, b, place: _gain(a, b, seed, place))
    rows.sort(key=lambda row: (not row["selected"], -_first_value(row)))
    return {"reason": selection.reason, "rows": rows, "variants": variants}


def _described(value: Any) -> Any:
    """Data at a path: where, and how much."""
    if not isinstance(value, Path):
        return value
    files = [value] if value.is_file() else sorted(value.rglob("*"))
    return f"{value.resolve()}, {sum(file.stat().st_size for file in files if file.is_file()):,} bytes"


def _row(
    model: str,
    answers: list[measure.Answers],
    sides: Mapping[str, list[measure.Answers]],
    popular: list[measure.Answers],
    selection: Selection,
    spent_s: float,
    seed: int,
) -> dict[str, Any]:
    choice = next((c for c in selection.choices if c.name == model), None)
    return {
        "model": model,
        "selected": model == selection.selected,
        "seconds": round(spent_s + (choice.seconds if choice else 0.0), 2),
        "metrics": measure.as_json(measure.figures(answers, seed=seed)),
        "above_popular": measure.as_json(
            {f"{answers[0].names[0]}@{answers[0].top.shape[1]}": _gain(answers, popular, seed)}
        ),
        "groups": {
            name: {
                "shoppers": sum(len(part.top) for part in side),
                "metrics": measure.as_json(measure.figures(side, seed=seed)),
            }
            for name, side in sides.items()
        },
        "config": choice.config.model_dump(mode="json") if choice else {},
        "validation": choice.validation if choice else None,
        "trials": choice.trials if choice else 0,
    }


def _gain(ours: list[measure.Answers], theirs: list[measure.Answers], seed: int, place: int = 0) -> Interval:
    """A metric's difference to another row, the same shoppers in pairs, folds pooled."""
    columns = [np.concatenate([fold.values[:, place] for fold in side]) for side in (ours, theirs)]
    who = np.concatenate([fold.customers for fold in ours])
    _, rows = np.unique(who, return_inverse=True)
    counts = np.bincount(rows)
    means = [np.bincount(rows, np.nan_to_num(column)) / counts for column in columns]
    return paired_difference(means[0], means[1], seed=seed)


def _first_value(row: Mapping[str, Any]) -> float:
    value = next(iter(row["metrics"].values()))["value"]
    return float("-inf") if value is None else float(value)


def _popular(train: Any, seed: int) -> Retriever[Any]:
    from storewise.core.rng import spawn

    model = registry().create(POPULAR)
    assert isinstance(model, Retriever)
    model.train(train, rng=spawn(seed, POPULAR))
    return model


def write(report: Mapping[str, Any], file: Path) -> None:
    """Write a report as JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.writing")
    scratch.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    scratch.replace(file)
