"""The snapshot in memory: everything a request needs, immutable, swapped whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.config import parse
from storewise.core.errors import ArtifactError
from storewise.core.registry import Registry
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories, Interactions
from storewise.engine.experiment.variants import effective
from storewise.engine.explored import ROLE as EXPLORED
from storewise.engine.graph import graph_of
from storewise.engine.pipeline import Pipeline
from storewise.engine.predictions.learned import ROLE as PREDICT
from storewise.engine.predictions.learned import Predictions
from storewise.engine.published import ARTIFACTS, Manifest
from storewise.engine.registry import registry as all_components
from storewise.engine.serving.arms import Arms
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.content import Content
from storewise.engine.serving.customers import CustomerFacts
from storewise.engine.serving.event_log import serving_log
from storewise.engine.serving.explorer import Explorer
from storewise.engine.serving.rerankers import rerankers_of
from storewise.engine.serving.rules import compiled
from storewise.engine.serving.search_index import BLEND, SEARCH, searcher_of
from storewise.engine.serving.second_stage import RANKER, SecondStage, as_served, restore_second_stage
from storewise.engine.serving.shelf import Shelf
from storewise.predict.features.events import EventLog
from storewise.recommend.eligibility import Eligibility, ShopperRules
from storewise.recommend.rank.objective import Objective
from storewise.recommend.related import Related
from storewise.recommend.rerank.base import Reranker
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.search.searcher import Searcher
from storewise.understand.attributes.value import from_frame
from storewise.understand.graph import Graph
from storewise.understand.rules import CompiledRules

RETRIEVER, POPULAR, CATALOGUE, RELATED = "retriever", "popular", "catalogue", "related"
ATTRIBUTES = "attributes"  # optional: snapshots of earlier versions have none
CONTENT = "content"  # only where products have been read
GRAPH = "graph"
RECENT_S = 86_400.0  # how far before the watermark live events are kept that training does not hold


@dataclass(frozen=True)
class Snapshot:
    """A pipeline, its trained parts and the histories they score.

    ``popular`` always answers; ``popularity`` (n_products,) are its scores for a shopper without history.
    ``customer_index``: pseudonym → index in ``histories``; indices from ``n_trained`` on are customers whom
    training has not seen. ``private``: pseudonyms without consent to a personal list. ``content``: what products
    are like, None where nothing read them.
    ``second``: candidates and their ranker, None where nothing was trained to rank; it may be a shadow. ``customers``: what hard rules ask
    of them. ``graph``: None in snapshots that were trained without one; ``rules``: None where the pipeline has none.
    ``explored``: what policies have learned, None in snapshots that were trained before they did.
    ``predictions``, and the ``log`` of events that they read: None in snapshots that were trained without any.
    ``session_index``: pseudonym → number among the log's sessions, of those that were not quiet for long.
    """

    id: str
    pipeline: Pipeline
    manifest: Manifest
    retriever_name: str
    retriever: Retriever[Any]
    catalogue: Catalogue
    eligibility: Eligibility
    popular: Retriever[Any]
    popularity: npt.NDArray[np.float32]
    similar: Related
    together: Related
    n_trained: int
    histories: Interactions
    customer_index: Mapping[str, int]
    searcher: Searcher
    private: frozenset[str] = field(default_factory=frozenset)
    content: Content | None = None
    graph: Graph | None = None
    rules: CompiledRules | None = None
    second: SecondStage | None = None
    shelf: Shelf | None = None
    shopper_rules: ShopperRules | None = None
    rerankers: tuple[Reranker[Any], ...] = ()
    explorer: Explorer | None = None
    explored: Artifact | None = None
    customers: Mapping[str, CustomerFacts] = field(default_factory=dict)
    predictions: Predictions | None = None
    log: EventLog | None = None
    session_index: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def customer_names(self) -> list[str]:
        """Pseudonym of each index."""
        return list(self.customer_index)

    @cached_property
    def session_names(self) -> list[str]:
        """Pseudonym of each number of a session."""
        return list(self.session_index)

    @property
    def objective(self) -> Objective | None:
        """What a place is for, None where that is relevance alone."""
        weight = self.pipeline.objective.value
        return None if not weight or self.shelf is None else Objective(weight, self.shelf.margins_minor)

    @property
    def exposure_days(self) -> float:
        """How far back frequency caps look, 0 without one."""
        return max((float(getattr(one.config, "days", 0.0)) for one in self.rerankers), default=0.0)

    @cached_property
    def arms(self) -> Arms:
        """What exploring policies see of products."""
        return Arms.of(self.catalogue, None if self.content is None else self.content.vectors)

    @cached_property
    def variants(self) -> Mapping[str, Snapshot]:
        """Variant of the pipeline's experiment → this snapshot with its changes; empty without one."""
        return {
            name: replace(
                self,
                pipeline=pipeline,
                eligibility=_rules(pipeline, self.catalogue),
                shopper_rules=ShopperRules(self.catalogue, pipeline.eligibility),
                explorer=Explorer.of(pipeline, all_components(), self.explored),
                second=as_served(self.second, pipeline.rank.use),
            )
            for name, pipeline in effective(self.pipeline).items()
        }

    @property
    def watermark(self) -> float:
        return self.manifest.watermark

    @property
    def counted(self) -> frozenset[str]:
        """The kinds of events that ``histories`` are made of."""
        return frozenset(self.manifest.facts.get("kinds", ("purchase",)))

    def history(self, customer: int) -> slice:
        """The rows of a customer in ``histories``, only the latest ones that the policy counts."""
        start, stop = int(self.histories.indptr[customer]), int(self.histories.indptr[customer + 1])
        return slice(max(start, stop - self.pipeline.policy.history_length), stop)

    def with_facts(self, products: pl.DataFrame, stock: pl.DataFrame | None) -> Snapshot:
        """The same snapshot with today's prices, stock and active products."""
        catalogue = self.catalogue.refreshed(products, stock)
        rules = compiled(self.pipeline, catalogue, self.graph)
        found = replace(self, catalogue=catalogue, eligibility=_rules(self.pipeline, catalogue), rules=rules)
        return found.stocked(stock)

    def stocked(self, stock: pl.DataFrame | None) -> Snapshot:
        """With what ranking and rerankers ask of today's catalogue and stock."""
        shelf = Shelf.of(self.catalogue, stock, None if self.content is None else self.content.vectors)
        return replace(
            self, shelf=shelf, shopper_rules=ShopperRules(self.catalogue, self.pipeline.eligibility),
            rerankers=rerankers_of(self.pipeline, shelf),
        )  # fmt: skip


def catalogue_artifact(dataset: Dataset, facts: Mapping[str, Any]) -> Artifact:
    """The products in index order and the customers whom training saw."""
    trained = pl.DataFrame({"customer_id": list(dataset.customer_ids)}, schema={"customer_id": pl.String})
    return Artifact(
        CATALOGUE, facts, tables={"products": Catalogue.of(dataset.products).frame, "trained": trained}
    )


def related_artifact(similar: Related, together: Related, facts: Mapping[str, Any]) -> Artifact:
    """The two product-to-product tables."""
    tables = {"similar": similar, "together": together}
    arrays = {f"{name}_{key}": value for name, table in tables.items() for key, value in vars(table).items()}
    return Artifact(RELATED, facts, arrays)


def retriever_artifact(name: str, retriever: Retriever[Any], facts: Mapping[str, Any]) -> Artifact:
    """A trained retriever: its config among the facts, its state as arrays."""
    about = {**facts, "component": name, "config": retriever.config.model_dump(mode="json")}
    return Artifact(name, about, dict(retriever.state()))


def restore_retriever(found: Artifact, registry: Registry) -> tuple[str, Retriever[Any]]:
    """The retriever that an artifact holds, with its registered name."""
    name = str(found.facts["component"])
    component = registry.create(name, found.facts["config"])
    if not isinstance(component, Retriever):
        raise ArtifactError(f"Artifact {found.name} holds no retriever.", next_step="Train again.")
    component.restore(found.arrays)
    return name, component


def load(
    root: Path,
    manifest: Manifest,
    behaviour: Dataset,
    registry: Registry,
    *,
    stock: pl.DataFrame | None = None,
    private: frozenset[str] = frozenset(),
    customers: Mapping[str, CustomerFacts] | None = None,
) -> Snapshot:
    """Read the artifacts of a snapshot, check every hash, and join them with the shop's present histories.

    ``behaviour``: the store's dataset up to the snapshot's watermark; its indices may differ from training's.

    Raises:
        ArtifactError: naming the artifact that is missing, damaged or does not fit.
    """
    found = {role: artifact.read(root / ARTIFACTS / name) for role, name in manifest.artifacts.items()}
    try:
        shelf, related = found[CATALOGUE], found[RELATED]
        name, retriever = restore_retriever(found[RETRIEVER], registry)
        _, popular = restore_retriever(found[POPULAR], registry)
        trained = shelf.tables["trained"]["customer_id"].to_list()
        pipeline = parse(Pipeline, manifest.pipeline, where=manifest.id)
        extracted = from_frame(found[ATTRIBUTES].tables["values"]) if ATTRIBUTES in found else None
        catalogue = Catalogue.of(shelf.tables["products"], extracted=extracted)
        catalogue = catalogue.refreshed(behaviour.products, stock)
        popularity = popular.scores(Histories.single([], n_products=len(catalogue)))[0]
        similar, together = (_related(related, part) for part in ("similar", "together"))
    except KeyError as error:
        raise ArtifactError(
            f"Snapshot {manifest.id} lacks the part {error}.", next_step="Train and publish again."
        ) from error
    graph = graph_of(found[GRAPH]) if GRAPH in found else None
    customer_index, histories = _align(behaviour, catalogue, trained)
    content = Content.of(found[CONTENT], registry) if CONTENT in found else None
    predictions = Predictions.of(found[PREDICT], registry) if PREDICT in found else None
    vectors, floor = (None, -1.0) if content is None else (content.text, content.noise)
    searcher = searcher_of(found.get(SEARCH), catalogue, vectors, floor, found.get(BLEND))
    second = None
    if RANKER in found:
        second = restore_second_stage(
            found[RANKER], registry, served=retriever, served_name=name, popular=popular
        )
    log: EventLog | None = None
    sessions: dict[str, int] = {}
    if predictions is not None:
        log, sessions = serving_log(behaviour, catalogue, customer_index, manifest.watermark)
    return Snapshot(
        manifest.id, pipeline, manifest, name, retriever, catalogue, _rules(pipeline, catalogue), popular,
        popularity, similar, together, len(trained), histories, customer_index, searcher, private, content,
        graph, compiled(pipeline, catalogue, graph), second, customers=customers or {}, predictions=predictions,
        log=log, session_index=sessions,
        explorer=Explorer.of(pipeline, registry, found.get(EXPLORED)), explored=found.get(EXPLORED),
    ).stocked(stock)  # fmt: skip


def moment(at: float) -> datetime:
    """Seconds as an aware datetime."""
    return datetime.fromtimestamp(at, UTC)


def _rules(pipeline: Pipeline, catalogue: Catalogue) -> Eligibility:
    return Eligibility(catalogue, hide_out_of_stock=pipeline.policy.out_of_stock == "hide")


def _related(found: Artifact, part: str) -> Related:
    return Related(
        *(found.arrays[f"{part}_{key}"] for key in ("indptr", "products", "scores", "support", "lift"))
    )


def _align(
    behaviour: Dataset, catalogue: Catalogue, trained: list[str]
) -> tuple[dict[str, int], Interactions]:
    """The store's behaviour in the indices of training; new customers come after the trained ones.

    Products that training has not seen and anonymous sessions fall out.
    """
    index = {name: i for i, name in enumerate(trained)}
    names = list(behaviour.customer_ids)
    for name in names:
        index.setdefault(name, len(index))
    new_customer = np.array([index[name] for name in names], np.int32)
    new_product = np.array([catalogue.index.get(name, -1) for name in behaviour.product_ids], np.int32)
    rows = behaviour.interactions
    kept: npt.NDArray[np.bool_] = rows.customers < len(names)
    kept[kept] = new_product[rows.products[kept]] >= 0
    histories = Interactions.build(
        new_customer[rows.customers[kept]], new_product[rows.products[kept]],
        at=rows.at[kept], weight=rows.weight[kept],
        n_customers=len(index), n_products=len(catalogue), ordered=rows.ordered,
    )  # fmt: skip
    return index, histories
