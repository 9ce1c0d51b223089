"""A training run: the store up to a watermark → what validation chooses → artifacts and a snapshot file.

Nothing serves before it is published. The artifacts are written whole, and the snapshot file that names
them comes last, so that a run that dies leaves no snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.config import config_hash
from storewise.core.progress import Progress, Silent, step
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.data.schema import TABLES
from storewise.data.shop import build
from storewise.data.stores import Store
from storewise.engine import attributes, content, explored
from storewise.engine.choose_ranker import SecondChoice, choose_ranker
from storewise.engine.history import History
from storewise.engine.past_content import PastContent
from storewise.engine.pipeline import Pipeline
from storewise.engine.predictions.learn import learn as learn_predictions
from storewise.engine.predictions.learned import ROLE as PREDICT
from storewise.engine.products import product_parts
from storewise.engine.published import ARTIFACTS, Manifest, write_snapshot
from storewise.engine.search_lessons import choose_blend
from storewise.engine.second_stage import Prepare, Refit, refit_names
from storewise.engine.serving import snapshot as parts
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.shelf import Shelf
from storewise.engine.validation import Row, Validation, validation_of
from storewise.recommend.choose.select import CONTENT, Selection, select
from storewise.recommend.related import bought_together, similar
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


def train(
    store: Store,
    pipeline: Pipeline,
    *,
    registry: Registry,
    seed: int,
    progress: Progress,
    code_version: str,
    until: datetime | None = None,
    serving: Manifest | None = None,
) -> Manifest:
    """Train a pipeline on a shop and write its snapshot; ``serving`` is measured beside the new one.

    Raises:
        DataError: when the shop has no products.
    """
    with step(progress, "reading the shop"):
        products, events = store.products(), store.events(until=until)
        history = History.of_tables(products, events, name=store.folder.name)
        shop = build(products, events, until=until, name=store.folder.name) if until else history.whole
        validation = validation_of(history, pipeline)
    encoded = content.encode(
        shop.products, pipeline.content, registry, seed=seed, cache=store.vectors, progress=progress
    )
    shop, projection = content.with_content(shop, encoded, pipeline.content, seed=seed, progress=progress)
    if validation is not None:
        # Learned anew on the part before the border, so that validation days teach nothing.
        fit, _ = content.with_content(validation.fit, encoded, pipeline.content, seed=seed, progress=progress)
        validation = replace(validation, fit=fit)
    chosen = choose(shop, validation, pipeline, registry, seed=seed, progress=progress, serving=serving)
    costs = store.stock()
    second = choose_ranker(
        shop, history, validation, pipeline, registry, served=chosen.name, trained=chosen.trained,
        fitted=chosen.fitted, refit=chosen.refit,
        prepare=_preparing(chosen, encoded, pipeline, seed, progress),
        margin_minor=Shelf.of(Catalogue.of(shop.products), costs, None).margins_minor, seed=seed,
        progress=progress,
    )  # fmt: skip
    facts = {
        # Everything that was read is strictly before the watermark, the last event too.
        "watermark": shop.watermark if until is not None else round(shop.watermark + 1e-6, 6),
        "seed": seed,
        "code_version": code_version,
        "schema_hash": schema_hash(),
        "pipeline_hash": pipeline.hash,
        "products": shop.n_products,
        "customers": len(shop.customer_ids),
        "interactions": len(shop.interactions),
        "component": chosen.name,
        "config": chosen.retriever.config.model_dump(mode="json"),
    }
    reading = pipeline.attributes.tagger
    made = product_parts(store.folder, shop, encoded, projection, facts, progress, tagger=reading)
    made |= second.artifact(facts)
    blend = choose_blend(shop, history, events, encoded, seed=seed, progress=progress)
    made |= blend.artifact(facts)
    predicted = learn_predictions(
        shop, pipeline.predict, registry, seed=seed, progress=progress,
        text=encoded.vectors if encoded is not None else None,
    )  # fmt: skip
    if predicted is not None:
        made[PREDICT] = predicted[0].artifact(facts)
    arms = {name: arm for arm, name in enumerate(shop.product_ids)}
    made |= explored.learn(store, pipeline, registry, arms, facts, until=until, progress=progress)
    names = write_artifacts(store.folder, shop, chosen, facts, progress, made)
    attributes.remember(store.folder, names[parts.ATTRIBUTES])
    about = {
        **facts,
        "evaluation": report(chosen, pipeline, validation, second) | {"search": blend.facts},
        "kinds": counted_kinds(shop),
    }
    if predicted is not None:
        about["predictions"] = predicted[1]
    if explored.ROLE in made:
        about["explored"] = made[explored.ROLE].facts["policies"]
    return write_snapshot(store.folder, pipeline.model_dump(mode="json"), names, about)


def _preparing(
    chosen: Chosen, encoded: content.Encoded | None, pipeline: Pipeline, seed: int, progress: Progress
) -> Prepare:
    """Past moments have joint vectors only where a retriever reads them: learning takes seconds."""
    reads = [chosen.name, *(one.use for one in getattr(chosen.retriever.config, "members", ()))]
    if CONTENT not in reads:
        return lambda data: data
    return PastContent(
        lambda data: (
            content.with_content(data, encoded, pipeline.content, seed=seed, progress=Silent())[0].content
        )
    )


def choose(
    shop: Dataset,
    validation: Validation | None,
    pipeline: Pipeline,
    registry: Registry,
    *,
    seed: int,
    progress: Progress,
    serving: Manifest | None = None,
) -> Chosen:
    """Choose on validation, measure with intervals, train again on everything."""
    if validation is None:
        popular = _train(registry, POPULAR, {}, shop, seed, progress)
        why = "no customer came back in the validation window, so nothing can be compared: popularity serves"
        return Chosen(POPULAR, popular, popular, (), why)
    if pipeline.retriever is not None:
        return _fixed(shop, validation, pipeline, registry, seed, progress, serving)
    wanted = pipeline.selection.candidates
    named = (
        None if wanted == "auto" else list(dict.fromkeys([*wanted, POPULAR]))
    )  # popularity is always beside
    selection = select(
        validation.fit, validation.task, candidates=named,
        budget_s=60 * pipeline.selection.minutes, seed=seed, progress=progress,
    )  # fmt: skip
    used = [] if pipeline.rank.use == "never" else refit_names(selection)
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
    progress: Progress, serving: Manifest | None,
) -> Chosen:  # fmt: skip
    assert pipeline.retriever is not None
    use = pipeline.retriever
    roles = [("candidate", use.use, use.config), ("popularity", POPULAR, {}), *_serving(serving, registry)]
    rows = []
    fitted: dict[str, Retriever[Any]] = {}
    for role, name, config in roles:
        started = time.perf_counter()
        trained = _train(registry, name, config, validation.fit, seed, progress)
        seconds = time.perf_counter() - started
        if role != "serving":
            fitted.setdefault(name, trained)
        selected = role == "candidate"
        rows.append(validation.row(name, trained, role=role, selected=selected, seconds=seconds, seed=seed))
    final = _train(registry, use.use, use.config, shop, seed, progress)
    popular = _train(registry, POPULAR, {}, shop, seed, progress)

    def refit(data: Dataset) -> Mapping[str, Retriever[Any]]:
        wanted = {POPULAR: {}, use.use: use.config}
        return {name: _train(registry, name, config, data, seed, Silent()) for name, config in wanted.items()}

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
    registry: Registry, name: str, config: Mapping[str, Any], shop: Dataset, seed: int, progress: Progress
) -> Retriever[Any]:
    component = registry.create(name, config)
    assert isinstance(component, Retriever), "the pipeline names retrievers only"
    component.train(shop, rng=spawn(seed, name), progress=progress)
    return component


def write_artifacts(
    root: Path,
    shop: Dataset,
    chosen: Chosen,
    facts: Mapping[str, Any],
    progress: Progress,
    more: Mapping[str, Artifact],
) -> dict[str, str]:
    """Write the parts of a snapshot, and ``more`` by role; role → folder name."""
    with step(progress, "products bought together"):
        related = parts.related_artifact(
            similar(shop.interactions), bought_together(shop.interactions), facts
        )
    made = {
        parts.RETRIEVER: parts.retriever_artifact(chosen.name, chosen.retriever, facts),
        parts.POPULAR: parts.retriever_artifact(POPULAR, chosen.popular, facts),
        parts.CATALOGUE: parts.catalogue_artifact(shop, facts),
        parts.RELATED: related,
        **more,
    }
    with step(progress, "writing artifacts"):
        return {role: artifact.write(part, root / ARTIFACTS).name for role, part in made.items()}


def report(
    chosen: Chosen, pipeline: Pipeline, validation: Validation | None, second: SecondChoice
) -> dict[str, Any]:
    """What `/v1/evaluation` shows and the gates of publishing read."""
    split = None
    if validation is not None:
        split = {
            "fit_until": validation.fit.watermark,
            "validation_days": pipeline.selection.validation_days,
            "customers": len(validation.task),
        }
    return {
        "metric": pipeline.selection.metric,
        "k": validation.task.k if validation is not None else pipeline.n,
        "selected": chosen.name,
        "reason": chosen.reason,
        "split": split,
        "rows": [asdict(row) for row in chosen.rows],
        "ranking": {
            "served": second.name if second.serves else None,
            "shadow": None if second.serves else second.name or None,
            "reason": second.reason,
            "row": asdict(second.row) if second.row is not None else None,
        },
        "pareto": list(second.pareto),
    }


def counted_kinds(shop: Dataset) -> list[str]:
    """The kinds of events that histories are made of; the others live only in memory and in the store."""
    kinds: Sequence[str] = shop.extra["events"]["kind"].cast(str).unique().to_list() if shop.extra else []
    strongest = ("purchase", "rating", "cart", "click", "view")
    return [next((kind for kind in strongest if kind in kinds), "purchase")]


def schema_hash() -> str:
    """A hash of the tables' columns and types."""
    return config_hash({name: {c.name: str(c.dtype) for c in t.columns} for name, t in TABLES.items()})
