"""Which retriever a training run serves: tried on validation or named by the pipeline file, trained again on all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storewise.core.progress import Progress, Silent
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.engine.pipeline import Pipeline
from storewise.engine.published import Manifest
from storewise.engine.ranking.second_stage import Refit, refit_names
from storewise.engine.validation import Row, Validation
from storewise.recommend.choose.networks import train_resumably
from storewise.recommend.choose.select import Selection, select
from storewise.recommend.retrieve.base import Retriever

POPULAR = "retrieve.popular.v1"


@dataclass(frozen=True)
class Chosen:
    """The retrievers to serve, and why. Those that candidates come from: ``trained`` on everything, ``fitted`` on the
    part before validation, by name; ``refit`` trains them on another part."""

    name: str
    retriever: Retriever[Any]
    popular: Retriever[Any]
    rows: tuple[Row, ...]
    reason: str
    refit: Refit | None = None
    trained: Mapping[str, Retriever[Any]] = field(default_factory=dict)
    fitted: Mapping[str, Retriever[Any]] = field(default_factory=dict)


def choose(
    shop: Dataset,
    validation: Validation | None,
    pipeline: Pipeline,
    registry: Registry,
    *,
    seed: int,
    progress: Progress,
    serving: Manifest | None = None,
    context: RunContext | None = None,
) -> Chosen:
    """Choose on validation, measure with intervals, train again on everything; a killed choice goes on from what
    ``context`` has of it."""
    around = context or RunContext()
    if validation is None:
        popular = _train(registry, POPULAR, {}, shop, seed, progress)
        why = "no customer came back in the validation window, so nothing can be compared: popularity serves"
        return Chosen(POPULAR, popular, popular, (), why)
    if pipeline.retriever is not None:
        return _fixed(shop, validation, pipeline, registry, seed, progress, serving, around)
    wanted = pipeline.selection.candidates
    named = (
        None if wanted == "auto" else list(dict.fromkeys([*wanted, POPULAR]))
    )  # popularity is always beside
    selection = select(
        validation.fit, validation.task, candidates=named,
        budget_s=60 * pipeline.selection.minutes, seed=seed, progress=progress, most=pipeline.selection.trials,
        context=around,
    )  # fmt: skip
    used = [] if pipeline.rank.use == "never" else refit_names(selection, pipeline.rank.sources)
    names = list(dict.fromkeys([selection.selected, POPULAR, *used]))
    fitted = selection.refit(validation.fit, seed=seed, progress=progress, names=names)
    rows = _rows(selection, fitted, validation, registry, seed, progress, serving)
    final = selection.refit(shop, seed=seed, progress=progress, names=names)

    def refit(data: Dataset) -> Mapping[str, Retriever[Any]]:
        return selection.refit(data, seed=seed, names=used)

    def chosen(made: Mapping[str, Retriever[Any]]) -> Mapping[str, Retriever[Any]]:
        return {name: made[name] for name in used}

    return Chosen(
        selection.selected, final[selection.selected], final[POPULAR], rows, selection.reason, refit,
        chosen(final), chosen(fitted),
    )  # fmt: skip


def _fixed(
    shop: Dataset, validation: Validation, pipeline: Pipeline, registry: Registry, seed: int,
    progress: Progress, serving: Manifest | None, context: RunContext,
) -> Chosen:  # fmt: skip
    assert pipeline.retriever is not None
    use = pipeline.retriever
    roles = [("candidate", use.use, use.config), ("popularity", POPULAR, {}), *_serving(serving, registry)]
    rows = []
    fitted: dict[str, Retriever[Any]] = {}
    for role, name, config in roles:
        started = time.perf_counter()
        trained = _train(registry, name, config, validation.fit, seed, progress, context)
        seconds = time.perf_counter() - started
        if role != "serving":
            fitted.setdefault(name, trained)
        selected = role == "candidate"
        rows.append(validation.row(name, trained, role=role, selected=selected, seconds=seconds, seed=seed))
    final = _train(registry, use.use, use.config, shop, seed, progress, context)
    popular = _train(registry, POPULAR, {}, shop, seed, progress)

    def refit(data: Dataset) -> Mapping[str, Retriever[Any]]:
        wanted = {POPULAR: {}, use.use: use.config}
        return {
            name: _train(registry, name, config, data, seed, Silent(), context)
            for name, config in wanted.items()
        }

    return Chosen(use.use, final, popular, tuple(rows), "the pipeline file names it", refit,
                  {POPULAR: popular, use.use: final}, fitted)  # fmt: skip


def _rows(
    selection: Selection, trained: Mapping[str, Retriever[Any]], validation: Validation, registry: Registry,
    seed: int, progress: Progress, serving: Manifest | None,
) -> tuple[Row, ...]:  # fmt: skip
    """One row for each choice; the selected one, popularity and the serving one with intervals."""
    measured = {selection.selected, POPULAR}
    rows = []
    for choice in selection.choices:
        role = "popularity" if choice.name == POPULAR else "candidate"
        selected = choice.name == selection.selected
        if choice.name in measured:
            found = trained[choice.name]
            rows.append(validation.row(choice.name, found, role=role, selected=selected,
                                       seconds=choice.seconds, seed=seed))  # fmt: skip
        else:
            key = f"{validation.task.metric}@{validation.task.k}"
            rows.append(Row(choice.name, role, False, choice.seconds, {key: {"value": choice.validation}}))
    for role, name, config in _serving(serving, registry):
        started = time.perf_counter()
        again = _train(registry, name, config, validation.fit, seed, progress)
        seconds = time.perf_counter() - started
        rows.append(validation.row(name, again, role=role, selected=False, seconds=seconds, seed=seed))
    return tuple(rows)


def _serving(serving: Manifest | None, registry: Registry) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The serving component with its config. It is trained anew on the fit part: the artifact itself may
    have seen the validation days."""
    if serving is None or "component" not in serving.facts:
        return []
    name = str(serving.facts["component"])
    return [("serving", name, serving.facts["config"])] if name in list(registry) else []


def _train(
    registry: Registry, name: str, config: Mapping[str, Any], shop: Dataset, seed: int, progress: Progress,
    context: RunContext | None = None,
) -> Retriever[Any]:  # fmt: skip
    component = registry.create(name, config)
    assert isinstance(component, Retriever), "the pipeline names retrievers only"
    return train_resumably(component, shop, spawn(seed, name), progress, context)
