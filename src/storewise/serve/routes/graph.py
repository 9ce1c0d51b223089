"""The neighbourhood of a product in the shop's knowledge graph."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from storewise.engine.graph import edge_payload, node_name
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Filters
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf, product_of
from storewise.serve.routes.products import ProductId
from storewise.understand.graph import Edge, Graph, neighbours

router = APIRouter(prefix="/v1", tags=["products"])


@router.get("/products/{product_id}/graph", response_class=Json)
async def graph(
    product_id: ProductId,
    service: ServiceOf,
    relation: Annotated[list[str] | None, Query(max_length=10)] = None,
    n: Annotated[int, Query(ge=1, le=50)] = 6,
) -> Json:
    """What the product is linked with and the counts behind each link, at most ``n`` of each relation."""
    snapshot = service.current()
    product = product_of(snapshot.catalogue, product_id)
    nodes: dict[int, dict[str, Any]] = {}
    edges = []
    if snapshot.graph is not None:
        found = neighbours(snapshot.graph, product, relations=relation)
        shown = _shown(snapshot, snapshot.graph, product, found, n)
        ends = [product, *(edge.other(product) for edge in shown)]
        nodes = {node: _node(snapshot, snapshot.graph, node) for node in ends}
        edges = [edge_payload(snapshot.graph, edge) for edge in shown]
    about = {"product_id": product_id, "graph": snapshot.graph is not None}
    return Json(about | {"nodes": list(nodes.values()), "edges": edges})


def _shown(snapshot: Snapshot, graph: Graph, product: int, found: list[Edge], n: int) -> list[Edge]:
    """The first n of each relation whose other end may be shown."""
    allowed = snapshot.eligibility.mask(Filters())
    taken: dict[str, int] = {}
    kept = []
    for edge in found:
        other = edge.other(product)
        if taken.get(edge.relation, 0) < n and (other >= graph.n_products or allowed[other]):
            taken[edge.relation] = taken.get(edge.relation, 0) + 1
            kept.append(edge)
    return kept


def _node(snapshot: Snapshot, graph: Graph, node: int) -> dict[str, Any]:
    kind, key, label = graph.nodes.row(node)
    about = {"id": node_name(graph, node), "kind": kind, "key": key, "label": label}
    # A product's title and price are today's, not those of training.
    return about | ({"product": snapshot.catalogue.payload(node)} if kind == "product" else {})
