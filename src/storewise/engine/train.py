"""A training run: the store up to a watermark → what validation chooses → artifacts and a snapshot file.

Nothing serves before it is published. The artifacts are written whole, and the snapshot file that names
them comes last, so that a run that dies leaves no snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.config import config_hash
from storewise.core.progress import Progress, Silent, step
from storewise.core.registry import Registry
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.data.schema import TABLES
from storewise.data.shop import build
from storewise.data.stores import Store
from storewise.engine import attributes, content, explored
from storewise.engine.choose_retriever import POPULAR, Chosen, choose
from storewise.engine.history import History
from storewise.engine.impressions import with_sources
from storewise.engine.pipeline import Pipeline
from storewise.engine.predictions.learn import learn as learn_predictions
from storewise.engine.predictions.learned import ROLE as PREDICT
from storewise.engine.products import product_parts
from storewise.engine.published import ARTIFACTS, Manifest, write_snapshot
from storewise.engine.queries.lessons import choose_blend
from storewise.engine.ranking.choose import SecondChoice, choose_ranker
from storewise.engine.ranking.past_content import PastContent
from storewise.engine.ranking.second_stage import Prepare
from storewise.engine.serving import snapshot as parts
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.shelf import Shelf
from storewise.engine.tracked import tell
from storewise.engine.validation import Validation, validation_of
from storewise.recommend.choose.select import CONTENT
from storewise.recommend.related import bought_together, similar


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
    context: RunContext | None = None,
) -> Manifest:
    """Train a pipeline on a shop and write its snapshot; ``serving`` is measured beside the new one. ``context``: a
    folder that a killed run goes on from, and a journal that is told of every trial and of the figures.

    Raises:
        DataError: when the shop has no products.
        ConfigError: when the folder belongs to a run of other data or settings.
    """
    around = context or RunContext()
    with step(progress, "reading the shop"):
        products = store.products()
        events = with_sources(store.events(until=until), store.decisions(until=until))
        around.claim({
            "pipeline": pipeline.hash, "seed": seed, "until": until, "version": code_version,
            "products": table_hash(products), "events": table_hash(events),
        })  # fmt: skip
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
    chosen = choose(shop, validation, pipeline, registry, seed=seed, progress=progress, serving=serving,
                    context=around)  # fmt: skip
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
        text=encoded.vectors if encoded is not None else None, before=content.past_products(store, encoded),
        context=around,
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
    tell(around.journal, about)
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


def table_hash(table: pl.DataFrame) -> str:
    """A hash of a table's rows in their order, good within one version of the library that makes it."""
    return hashlib.sha256(table.hash_rows(seed=0).to_numpy().tobytes()).hexdigest()[:16]


def schema_hash() -> str:
    """A hash of the tables' columns and types."""
    return config_hash({name: {c.name: str(c.dtype) for c in t.columns} for name, t in TABLES.items()})
