"""A shop's knowledge graph: built, stored as an artifact, found again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError, StateError, UnknownName
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.data.shop import dataset
from storewise.data.stores import Store
from storewise.engine.attributes import latest
from storewise.engine.published import ARTIFACTS, read_pointer, read_snapshot, replace_file
from storewise.engine.registry import component_names, registry
from storewise.understand.graph import Edge, Graph, GraphConfig, build_graph
from storewise.understand.rules import Finding, ProductFacts, Rule, check_rules, parse_rules, read_rules

ROLE = "graph"
POINTER = "graph.json"


def graph_artifact(graph: Graph, facts: Mapping[str, Any]) -> Artifact:
    """The graph as tables."""
    return Artifact(
        ROLE, {**facts, "relations": graph.counts}, tables={"nodes": graph.nodes, "edges": graph.edges}
    )


def graph_of(found: Artifact) -> Graph:
    """The graph that an artifact holds.

    Raises:
        ArtifactError: when it holds none.
    """
    try:
        return Graph(found.tables["nodes"], found.tables["edges"])
    except KeyError as error:
        raise ArtifactError(
            f"Artifact {found.name} lacks the table {error}.", next_step="Run `storewise graph build`."
        ) from error


def build_and_store(
    store: Store, *, progress: Progress, encoder: str | None = None, config: GraphConfig | None = None
) -> Graph:
    """Build the graph of a shop and make it the one that :func:`load_graph` finds.

    ``encoder``: a text encoder for the content of products; without one the words of the titles speak. Attributes
    are those that were extracted last, if any were.

    Raises:
        DataError: when the shop has no products.
        UnknownName: for an encoder that does not exist.
    """
    shop = dataset(store)
    used = config or GraphConfig()
    vectors = _vectors(shop, encoder) if encoder is not None else None
    told = latest(store.folder)
    facts_told = None if told is None else told.tables["values"]
    graph = build_graph(shop, attributes=facts_told, vectors=vectors, config=used, progress=progress)
    facts = {"watermark": shop.watermark, "config": used.model_dump(mode="json"), "encoder": encoder}
    folder = artifact.write(graph_artifact(graph, facts), store.folder / ARTIFACTS)
    replace_file(
        store.folder / POINTER, orjson.dumps({"artifact": folder.name, "serving": _serving(store.folder)[0]})
    )
    return graph


def load_graph(root: Path) -> Graph:
    """The newest graph of a shop: the one of `storewise graph build`, unless another snapshot with a graph has been
    published since.

    Raises:
        StateError: when there is none.
        ArtifactError: when it is damaged.
    """
    serving, theirs = _serving(root)
    built = _built(root)
    name = built[0] if built is not None and (theirs is None or built[1] == serving) else theirs
    if name is None:
        raise StateError(f"The shop in {root} has no graph yet.", next_step="Run `storewise graph build`.")
    return graph_of(artifact.read(root / ARTIFACTS / name))


def checked_rules(root: Path, file: Path) -> tuple[list[Rule], list[Finding]]:
    """The rules of a file and what is wrong with them in a shop; without a graph, links count as unknown names.

    Raises:
        ConfigError: when the file cannot be read.
        StoreError: when there is no shop.
    """
    rules = parse_rules(read_rules(file))
    with Store.open(root, create=False) as store:
        products = store.products().sort("product_id")
    try:
        graph: Graph | None = load_graph(root)
    except StateError:
        graph = None
    if (
        graph is not None
        and graph.nodes["key"][: graph.n_products].to_list() != products["product_id"].to_list()
    ):
        graph = None  # the catalogue has changed since; its links would stand beside the wrong products
    active = products["active"].fill_null(True).to_numpy()
    return rules, check_rules(rules, ProductFacts.of(products, graph), active)


def _built(root: Path) -> tuple[str, str | None] | None:
    """The artifact that was built by command, and which snapshot served then."""
    try:
        values = orjson.loads((root / POINTER).read_bytes())
        return str(values["artifact"]), values["serving"]
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{root / POINTER} is not readable.", next_step="Run `storewise graph build` again."
        ) from error


def _serving(root: Path) -> tuple[str | None, str | None]:
    """The serving snapshot and the artifact of its graph, None where there is none."""
    try:
        manifest = read_snapshot(root, read_pointer(root).serving)
    except (StateError, UnknownName):
        return None, None
    return manifest.id, manifest.artifacts.get(ROLE)


def _vectors(shop: Dataset, name: str) -> npt.NDArray[np.float32]:
    (full,) = component_names([name], "encode")
    encoder: Any = registry().create(full)
    columns = [column for column in ("title", "description") if column in shop.products.columns]
    texts = [" ".join(part for part in row if part) for row in shop.products.select(columns).iter_rows()]
    if hasattr(encoder, "train"):
        encoder.train(texts, rng=spawn(0, full))
    found: npt.NDArray[np.float32] = encoder(texts)
    return found


def node_name(graph: Graph, node: int) -> str:
    """A node's name outside, such as ``product:22423``."""
    kind, key, _ = graph.nodes.row(node)
    return f"{kind}:{key}"


def edge_payload(graph: Graph, edge: Edge) -> dict[str, Any]:
    """An edge in plain values, as the API and the command line give it."""
    return {
        "source": node_name(graph, edge.source),
        "relation": edge.relation,
        "target": node_name(graph, edge.target),
        "weight": round(edge.weight, 4),
        "support": edge.support,
        "evidence": edge.evidence,
    }
