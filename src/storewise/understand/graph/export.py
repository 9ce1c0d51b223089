"""The graph for other tools: CSV, Parquet, GraphML and N-Triples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import orjson

from storewise.core.errors import ConfigError
from storewise.understand.graph.tables import Graph

SUFFIXES = (".csv", ".parquet", ".graphml", ".nt")


def export(graph: Graph, target: Path) -> list[Path]:
    """Write the graph and return the files; the ending says the format.

    ``.csv`` and ``.parquet`` become two files, ``NAME-nodes`` and ``NAME-edges``. ``.graphml`` holds everything
    (GraphML 1.0). ``.nt`` are RDF triples with a node's label and each edge as ``urn:storewise:RELATION``;
    weights and evidence have no place in plain triples.

    Raises:
        ConfigError: for another ending.
    """
    if target.suffix not in SUFFIXES:
        raise ConfigError(
            f"{target.name} ends in {target.suffix or 'nothing'}, which no format has.",
            next_step=f"Use one of {', '.join(SUFFIXES)}.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix in (".csv", ".parquet"):
        return _tables(graph, target)
    lines = _graphml(graph) if target.suffix == ".graphml" else _triples(graph)
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
    return [target]


def _tables(graph: Graph, target: Path) -> list[Path]:
    files = []
    for name, table in (("nodes", graph.nodes.with_row_index("node")), ("edges", graph.edges)):
        file = target.with_name(f"{target.stem}-{name}{target.suffix}")
        write: Callable[[Path], None] = table.write_csv if target.suffix == ".csv" else table.write_parquet
        write(file)
        files.append(file)
    return files


def _graphml(graph: Graph) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for owner, name, kind in (
        ("node", "kind", "string"), ("node", "key", "string"), ("node", "label", "string"),
        ("edge", "relation", "string"), ("edge", "weight", "double"), ("edge", "support", "int"),
        ("edge", "evidence", "string"),
    ):  # fmt: skip
        yield f'<key id="{name}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>\n'
    yield '<graph edgedefault="directed">\n'
    for i, row in enumerate(graph.nodes.iter_rows()):
        yield f'<node id="n{i}">{_data(zip(("kind", "key", "label"), row, strict=True))}</node>\n'
    for source, relation, target, weight, support, evidence in graph.edges.iter_rows():
        told = {"relation": relation, "weight": f"{weight:.6g}", "support": support, "evidence": evidence}
        ends = f"source={quoteattr(f'n{source}')} target={quoteattr(f'n{target}')}"
        yield f"<edge {ends}>{_data(told.items())}</edge>\n"
    yield "</graph>\n</graphml>\n"


def _data(values: Iterable[tuple[str, object]]) -> str:
    return "".join(f'<data key="{key}">{escape(_printable(str(value)))}</data>' for key, value in values)


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return "".join(sign for sign in text if sign in "\t\n\r" or " " <= sign not in "￾￿")


def _triples(graph: Graph) -> Iterator[str]:
    names = [f"<urn:storewise:{kind}:{quote(key, safe='')}>" for kind, key, _ in graph.nodes.iter_rows()]
    for name, label in zip(names, graph.nodes["label"].to_list(), strict=True):
        # A JSON string is a valid N-Triples literal: both escape quotes, backslashes and control characters.
        text = orjson.dumps(label).decode()
        yield f"{name} <http://www.w3.org/2000/01/rdf-schema#label> {text} .\n"
    for source, relation, target in graph.edges.select("source", "relation", "target").iter_rows():
        yield f"{names[source]} <urn:storewise:{relation}> {names[target]} .\n"
