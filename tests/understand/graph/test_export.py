"""Exports read back by parsers of their formats, with titles that try to break them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import orjson
import polars as pl
import pytest

from storewise.core.errors import ConfigError
from storewise.understand.graph import Graph, build_graph, export

from .shops import shop

NASTY = 'A <b> & "quote"\n\x01 \\ 红色 📦'


@pytest.fixture(scope="module")
def graph() -> Graph:
    whole = build_graph(shop())
    label = pl.when(pl.col("key") == "p9").then(pl.lit(NASTY)).otherwise(pl.col("label"))
    return Graph(whole.nodes.with_columns(label.alias("label")), whole.edges)


def test_graphml_holds_everything(graph: Graph, tmp_path: Path) -> None:
    (file,) = export(graph, tmp_path / "g.graphml")
    root = ET.parse(file).getroot()
    space = "{http://graphml.graphdrawing.org/xmlns}"
    nodes, edges = list(root.iter(f"{space}node")), list(root.iter(f"{space}edge"))
    assert (len(nodes), len(edges)) == (graph.nodes.height, len(graph))
    told = {part.get("key"): part.text for part in nodes[9]}
    assert told == {"kind": "product", "key": "p9", "label": NASTY.replace("\x01", "")}
    first = {part.get("key"): part.text for part in edges[0]}
    assert first["relation"] == graph.edges["relation"][0]
    assert orjson.loads(str(first["evidence"])) == orjson.loads(graph.edges["evidence"][0])
    assert edges[0].get("source") == f"n{graph.edges['source'][0]}"


def test_triples_are_one_a_line(graph: Graph, tmp_path: Path) -> None:
    (file,) = export(graph, tmp_path / "g.nt")
    lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    triple = re.compile(r'(<[^<>"{}|^`\\\s]+>) (<[^<>\s]+>) (<[^<>"{}|^`\\\s]+>|"(?:[^"\\\n]|\\.)*") \.')
    assert all(triple.fullmatch(line) for line in lines)
    assert len(lines) == graph.nodes.height + len(graph)
    label = next(line for line in lines if line.startswith("<urn:storewise:product:p9> <http"))
    assert orjson.loads(label[label.index('"') : -2]) == NASTY


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_come_back(graph: Graph, tmp_path: Path, suffix: str) -> None:
    nodes, edges = export(graph, tmp_path / "deep" / f"g.{suffix}")
    read = pl.read_csv if suffix == "csv" else pl.read_parquet
    assert read(nodes)["label"].to_list() == graph.nodes["label"].to_list()
    assert read(edges)["evidence"].to_list() == graph.edges["evidence"].to_list()
    assert read(edges)["target"].to_list() == graph.edges["target"].to_list()


def test_another_ending_is_refused(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.xlsx"):
        export(graph, tmp_path / "g.xlsx")
