"""The graph of a shop: in its snapshots, built by command, over HTTP and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from storewise.cli.app import app as cli
from storewise.core.errors import ArtifactError, ConfigError, StateError, UnknownName
from storewise.core.progress import Silent
from storewise.data.stores import Store
from storewise.engine.graph import POINTER, build_and_store, checked_rules, load_graph
from storewise.engine.published import read_pointer, read_snapshot, replace_file
from storewise.engine.serving.service import Service
from storewise.serve.app import create_app
from storewise.testing import small_shop
from storewise.testing.small_shop import INACTIVE, SOLD_OUT


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, list(arguments))


def test_a_snapshot_holds_the_graph_of_its_products(service: Service) -> None:
    snapshot = service.current()
    assert snapshot.graph is not None
    assert snapshot.graph.nodes["key"][:40].to_list() == snapshot.catalogue.ids
    assert snapshot.graph.counts["in_category"] == 40
    assert snapshot.graph.counts["has_attribute"] == 80  # the colour given, and the type read from the title


def test_a_snapshot_of_before_the_graph_still_serves(shop: Path) -> None:
    import hashlib

    name = read_pointer(shop).serving
    file = shop / "snapshots" / f"{name}.json"
    values = orjson.loads(file.read_bytes())
    del values["artifacts"]["graph"]
    del values["pipeline"]["rules"]
    text = orjson.dumps(values)
    replace_file(file, text)
    pointer = orjson.loads((shop / "current").read_bytes()) | {"sha256": hashlib.sha256(text).hexdigest()}
    replace_file(shop / "current", orjson.dumps(pointer))
    with TestClient(create_app(small_shop.open_service(shop)), base_url="http://127.0.0.1:8000") as client:
        assert len(client.get("/v1/recommendations?n=3").json()["items"]) == 3
        told = client.get("/v1/products/p01/graph").json()
        assert told == {"product_id": "p01", "graph": False, "nodes": [], "edges": []}
    with pytest.raises(StateError, match="has no graph yet"):
        load_graph(shop)


def test_the_neighbourhood_over_http(shop: Path) -> None:
    with TestClient(create_app(small_shop.open_service(shop)), base_url="http://127.0.0.1:8000") as client:
        told = client.get("/v1/products/p01/graph", params={"n": 2}).json()
        names = {node["id"] for node in told["nodes"]}
        assert {"product:p01", "category:light", "attribute:colour=blue"} <= names
        for edge in told["edges"]:
            assert "product:p01" in (edge["source"], edge["target"])
            assert {edge["source"], edge["target"]} <= names
            assert set(edge) == {"source", "relation", "target", "weight", "support", "evidence"}
            assert edge["evidence"]
        assert not {f"product:{INACTIVE}", f"product:{SOLD_OUT}"} & names
        by_relation = [edge["relation"] for edge in told["edges"]]
        assert max(by_relation.count(relation) for relation in by_relation) <= 2
        only = client.get("/v1/products/p01/graph?relation=in_category").json()
        assert [edge["target"] for edge in only["edges"]] == ["category:light"]
        assert client.get("/v1/products/p01/graph?relation=likes").status_code == 404
        assert client.get("/v1/products/nothing/graph").status_code == 404
        assert client.get("/v1/products/p01/graph?n=51").status_code == 422


def test_what_is_built_is_found_again(shop: Path) -> None:
    served = load_graph(shop)
    assert read_snapshot(shop, read_pointer(shop).serving).artifacts["graph"].startswith("graph-")
    with Store.open(shop, create=False) as store:
        built = build_and_store(store, progress=Silent(), encoder="tfidf_svd")
        with pytest.raises(UnknownName, match="wizard"):
            build_and_store(store, progress=Silent(), encoder="wizard")
    assert (shop / POINTER).is_file()
    again = load_graph(shop)
    assert again.edges.equals(built.edges)
    assert served.nodes.equals(again.nodes)
    (shop / POINTER).write_text("{}")
    with pytest.raises(ArtifactError, match="graph.json is not readable"):
        load_graph(shop)


def test_the_command_line(shop: Path, tmp_path: Path) -> None:
    at = ("--shop", str(shop))
    built = run("graph", "build", *at)
    assert built.exit_code == 0
    assert "in_category             40" in built.stdout
    shown = run("graph", "show", "p01", *at)
    assert shown.stdout.startswith("p01  Blue lamp 1")
    assert "in_category     → light" in shown.stdout
    told = orjson.loads(run("graph", "show", "p01", "--json", *at).stdout)
    assert told["edges"][0]["relation"] == "in_category"
    ways = orjson.loads(run("graph", "path", "p01", "p05", "--json", *at).stdout)["paths"]
    assert ways
    assert all(way["nodes"][0] == "product:p01" and way["nodes"][-1] == "product:p05" for way in ways)
    assert "—in_category→ light —in_category→ Blue lamp 5" in run("graph", "path", "p01", "p05", *at).stdout
    written = run("graph", "export", str(tmp_path / "g.parquet"), *at)
    assert written.exit_code == 0
    assert pl.read_parquet(tmp_path / "g-nodes.parquet").height == load_graph(shop).nodes.height
    assert isinstance(run("graph", "show", *at).exception, ConfigError)
    assert isinstance(run("graph", "show", "nothing", *at).exception, UnknownName)


def test_rules_are_checked_against_the_shop(shop: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("[[rule]]\nname = 'a'\nforbid = 'candidate.attribute.colour = \"green\"'\n")
    bad.write_text("[[rule]]\nname = 'a'\nforbid = 'candidate.product is known'\n")
    rules, findings = checked_rules(shop, good)
    assert [rule.name for rule in rules] == ["a"]
    assert [one.kind for one in findings] == ["unknown_name", "never_fires"]
    told = run("graph", "check-rules", str(good), "--shop", str(shop))
    assert told.exit_code == 0
    assert "no product has attribute.colour 'green'" in told.stdout
    assert run("graph", "check-rules", str(bad), "--shop", str(shop)).exit_code == 1
    as_json = run("graph", "check-rules", str(bad), "--json", "--shop", str(shop))
    assert orjson.loads(as_json.stdout)["findings"][0]["kind"] == "removes_everything"
