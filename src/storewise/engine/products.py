"""What a training run learns of the products themselves: content, attributes, search index and graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storewise.core.artifact import Artifact
from storewise.core.progress import Progress, step
from storewise.data.dataset import Dataset
from storewise.engine import attributes
from storewise.engine.content import CONTENT, Encoded, content_artifact
from storewise.engine.graph import ROLE as GRAPH
from storewise.engine.graph import graph_artifact
from storewise.engine.serving.search_index import SEARCH, search_artifact
from storewise.understand.graph import build_graph
from storewise.understand.projection import Projection

ATTRIBUTES = "attributes"


def product_parts(
    root: Path,
    shop: Dataset,
    encoded: Encoded | None,
    projection: Projection | None,
    facts: Mapping[str, Any],
    progress: Progress,
    *,
    tagger: str | None = None,
) -> dict[str, Artifact]:
    """The artifacts by role; ``tagger`` as :func:`storewise.engine.attributes.extract` takes it. The graph knows the attributes, and what is alike from the encoder's vectors."""
    found = attributes.extract(root, shop.products, progress=progress, tagger=tagger, about=facts)
    made = {ATTRIBUTES: found.artifact}
    if encoded is not None and projection is not None:
        made[CONTENT] = content_artifact(shop, encoded, projection, facts)
    with step(progress, "search index"):
        made[SEARCH] = search_artifact(shop, facts)
    vectors = encoded.vectors if encoded is not None else None
    graph = build_graph(shop, attributes=found.values, vectors=vectors, progress=progress)
    made[GRAPH] = graph_artifact(graph, facts)
    return made
