"""The graph of a shop whose relations are known."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl
import pytest

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.understand.graph import Graph, GraphConfig, build_graph, neighbours, products_with
from storewise.understand.graph.tables import EDGE_SCHEMA, NODE_SCHEMA

from .shops import BLUE, CASE, PHONE, RED, TEAPOT, TONGS, products, shop


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build_graph(shop())


def pairs(graph: Graph, relation: str) -> set[tuple[int, int]]:
    part = graph.edges.filter(pl.col("relation") == relation)
    return set(part.select("source", "target").iter_rows())


def test_what_is_bought_together_and_nothing_else(graph: Graph) -> None:
    assert {(PHONE, CASE), (TEAPOT, TONGS)} == pairs(graph, "bought_with")
    assert {(PHONE, CASE), (TEAPOT, TONGS)} == pairs(graph, "complements")


def test_cups_replace_each_other(graph: Graph) -> None:
    assert pairs(graph, "substitutes") == {(RED, BLUE)}
    (edge,) = neighbours(graph, RED, relations=["substitutes"])
    told = edge.evidence
    assert told["baskets"] == 0
    assert told["lift"] < 1
    assert told["occasions"] == told["apart"] == edge.support > 50
    assert edge.weight == pytest.approx(told["similarity"], abs=1e-3)  # all occasions were apart


def test_only_the_case_is_an_accessory(graph: Graph) -> None:
    assert pairs(graph, "accessories_of") == {(CASE, PHONE)}
    (edge,) = neighbours(graph, PHONE, relations=["accessories_of"])
    assert edge.evidence["p_main"] > 0.9
    assert edge.evidence["p_accessory"] < 0.5


def test_weights_lie_in_the_unit_interval_and_evidence_is_json(graph: Graph) -> None:
    assert graph.edges["weight"].is_between(0, 1).all()
    assert (graph.edges["weight"] > 0).all()
    assert all(isinstance(orjson.loads(text), dict) for text in graph.edges["evidence"].to_list())


def test_independent_products_are_not_linked() -> None:
    """The false discovery rate holds: 40 products at random give next to no pair."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(2_000), 5)
    noise = Dataset.of(who, rng.integers(0, 40, len(who)), n_customers=2_000, n_products=40)
    assert build_graph(noise).counts["bought_with"] <= 2


def test_the_same_shop_gives_the_same_graph() -> None:
    one, other = build_graph(shop()), build_graph(shop())
    assert one.nodes.equals(other.nodes)
    assert one.edges.equals(other.edges)


def test_facts_come_from_the_catalogue_and_from_extraction() -> None:
    told = pl.DataFrame(
        {
            "product_id": ["p4", "p5", "p5", "gone", "p6", "p4"],
            "name": ["Colour", "colour", "colour", "colour", "colour", "volume"],
            "value": ["Red", "Blue", " blue ", "red", "green", "250"],
            "unit": [None, None, None, None, None, "ml"],
            "confidence": [0.9, 0.5, 0.8, 1.0, 0.1, 1.0],
            "source": ["title"] * 6,
            "start": [0, 0, 0, 0, 0, 4],
            "end": [3, 4, 4, 3, 3, 9],
        }
    )
    graph = build_graph(shop(20), attributes=told)
    assert graph.counts["has_attribute"] == 6  # model X; fits X, Y; red, blue once, volume; not green (0.1)
    assert products_with(graph, "COLOUR", "red").tolist() == [RED]
    assert products_with(graph, "fits", "y").tolist() == [CASE]
    assert products_with(graph, "category", "cup").tolist() == [RED, BLUE]
    assert products_with(graph, "brand", "Acme").tolist() == [PHONE, CASE]
    assert products_with(graph, "colour", "green").tolist() == []
    blue = graph.edges.filter(pl.col("target") == graph.node("attribute", "colour=blue"))
    assert blue["weight"].to_list() == [pytest.approx(0.8)]
    (volume,) = [e for e in neighbours(graph, RED, relations=["has_attribute"]) if "unit" in e.evidence]
    assert volume.evidence == {"source": "title", "start": 4, "end": 9, "unit": "ml", "confidence": 1.0}
    assert graph.nodes["label"][volume.target] == "volume: 250 ml"


def test_vectors_decide_what_is_alike_when_given() -> None:
    vectors = np.eye(10, dtype=np.float32)
    assert pairs(build_graph(shop(), vectors=vectors), "substitutes") == set()
    vectors[BLUE] = vectors[RED]
    alike = build_graph(shop(), vectors=vectors)
    assert pairs(alike, "substitutes") == {(RED, BLUE)}
    (edge,) = neighbours(alike, RED, relations=["substitutes"])
    assert edge.evidence["content"] == "vectors"


def test_visits_that_looked_at_both_speak_too() -> None:
    """Nobody bought a cup, but shoppers looked at both before leaving."""
    looks = [(who, product, who * 100.0) for who in range(30) for product in (RED, BLUE)]
    looks += [(who, PHONE, who * 100.0) for who in range(30, 40)]
    events = pl.DataFrame(
        {
            "customer": [row[0] for row in looks],
            "product": [row[1] for row in looks],
            "kind": ["view"] * 60 + ["purchase"] * 10,
            "at": [row[2] for row in looks],
        }
    )
    bare = shop(40)
    only = bare.with_interactions(bare.interactions.select(bare.interactions.products == PHONE))
    viewed = Dataset(products(), only.customer_ids, only.interactions, extra={"events": events})
    (edge,) = neighbours(build_graph(viewed), RED, relations=["substitutes"])
    assert (edge.evidence["visits"], edge.evidence["apart"]) == (30, 30)


def test_where_only_views_count_there_are_no_baskets() -> None:
    whole = shop()
    rows = whole.interactions
    events = pl.DataFrame(
        {"customer": rows.customers, "product": rows.products, "kind": ["view"] * len(rows), "at": rows.at}
    )
    seen = Dataset(products(), whole.customer_ids, rows, extra={"events": events})
    graph = build_graph(seen)
    assert graph.counts["bought_with"] == graph.counts["complements"] == 0


def test_a_shop_without_anything_has_nodes_and_no_edges() -> None:
    graph = build_graph(Dataset.of([], [], n_customers=0, n_products=2))
    assert (graph.nodes.height, len(graph)) == (2, 0)
    assert neighbours(graph, 1) == []


def test_thresholds_bind() -> None:
    none = GraphConfig(min_customers=1_000)
    assert build_graph(shop(), config=none).counts["bought_with"] == 0
    strict = GraphConfig(accessory_price=0.01)
    assert build_graph(shop(), config=strict).counts["accessories_of"] == 0


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match=r"shape \(3, 4\).*10 products"):
        build_graph(shop(5), vectors=np.zeros((3, 4), np.float32))
    with pytest.raises(DataError, match="no column 'value'"):
        build_graph(shop(5), attributes=pl.DataFrame({"product_id": ["p1"], "name": ["x"]}))
    nodes = pl.DataFrame({"kind": ["product"], "key": ["a"], "label": ["A"]}, schema=NODE_SCHEMA)
    row = {"source": 0, "relation": "has_brand", "target": 5, "weight": 1.0, "support": 1, "evidence": "{}"}
    with pytest.raises(DataError, match="names node 5, there are 1"):
        Graph(nodes, pl.DataFrame([row], schema=EDGE_SCHEMA))
    with pytest.raises(DataError, match="unknown relations"):
        Graph(nodes, pl.DataFrame([row | {"target": 0, "relation": "likes"}], schema=EDGE_SCHEMA))
