"""``storewise graph``: build the knowledge graph, look at it, export it, check rules against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from storewise.understand.graph import Graph

What = Literal["build", "show", "path", "export", "check-rules"]


def graph(
    what: Annotated[
        What, typer.Argument(help="build · show ID · path ID ID · export FILE · check-rules FILE")
    ],
    names: Annotated[list[str] | None, typer.Argument(help="Product ids, or the file.")] = None,
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    relation: Annotated[list[str] | None, typer.Option(help="show: only this relation; may repeat.")] = None,
    n: Annotated[int, typer.Option(help="show: edges of each relation; path: paths.", min=1, max=100)] = 5,
    encoder: Annotated[
        str | None,
        typer.Option(help="build: text encoder for content, such as minilm; default: title words."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="show, path, check-rules: print JSON.")] = False,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="check-rules: language of the rules.")] = "en",
) -> None:
    """The shop's knowledge graph, and rules that use it.

    The end of FILE says the format: .csv, .parquet, .graphml or .nt. check-rules exits with 1 when it finds an error.
    """
    given = _given(what, names or [])
    if what == "build":
        _build(shop, encoder)
    elif what == "show":
        _show(shop, given[0], relation, n, json)
    elif what == "path":
        _path(shop, given[0], given[1], n, json)
    elif what == "export":
        _export(shop, Path(given[0]))
    else:
        _check(shop, Path(given[0]), lang, json)


def _given(what: What, names: list[str]) -> list[str]:
    from storewise.core.errors import ConfigError

    wanted = {"build": 0, "show": 1, "path": 2, "export": 1, "check-rules": 1}[what]
    if len(names) != wanted:
        raise ConfigError(
            f"storewise graph {what} takes {wanted} names, {len(names)} were given.",
            next_step="See storewise graph --help.",
        )
    return names


def _build(shop: Path, encoder: str | None) -> None:
    from storewise.core.progress import Bars
    from storewise.data.stores import Store
    from storewise.engine.graph import build_and_store

    with Store.open(shop, create=False) as store:
        found = build_and_store(store, progress=Bars(), encoder=encoder)
    for relation, count in found.counts.items():
        typer.echo(f"{relation:<16} {count:>9,}")


def _show(shop: Path, product: str, relations: list[str] | None, n: int, json: bool) -> None:
    from storewise.engine.graph import edge_payload, load_graph
    from storewise.understand.graph import neighbours

    found = load_graph(shop)
    node = found.node("product", product)
    edges = neighbours(found, node, relations=relations, n=n)
    if json:
        _print({"product_id": product, "edges": [edge_payload(found, edge) for edge in edges]})
        return
    typer.secho(f"{product}  {found.nodes['label'][node]}", bold=True)
    for edge in edges:
        told = ", ".join(f"{key} {value}" for key, value in edge.evidence.items())
        arrow = "←" if edge.relation == "accessories_of" and edge.target == node else "→"
        other = found.nodes["label"][edge.other(node)]
        typer.echo(f"  {edge.relation:<15} {arrow} {other[:42]:<42} {edge.weight:5.2f}  {told}")


def _path(shop: Path, start: str, end: str, n: int, json: bool) -> None:
    from storewise.engine.graph import edge_payload, load_graph, node_name
    from storewise.understand.graph import paths

    found = load_graph(shop)
    ways = paths(found, found.node("product", start), found.node("product", end), n=n)
    if json:
        rows = [
            {
                "score": way.score,
                "nodes": [node_name(found, node) for node in way.nodes],
                "edges": [edge_payload(found, edge) for edge in way.edges],
            }
            for way in ways
        ]
        _print({"paths": rows})
        return
    for way in ways:
        typer.echo(f"{way.score:.4f}  {_steps(found, way)}")
    if not ways:
        typer.echo("no path of at most three edges")


def _steps(found: Graph, way: Any) -> str:
    labels = [found.nodes["label"][node] for node in way.nodes]
    steps = [f"—{edge.relation}→ {label}" for edge, label in zip(way.edges, labels[1:], strict=True)]
    return " ".join([labels[0], *steps])


def _export(shop: Path, target: Path) -> None:
    from storewise.engine.graph import load_graph
    from storewise.understand.graph import export

    for file in export(load_graph(shop), target):
        typer.echo(f"wrote {file}")


def _check(shop: Path, file: Path, lang: Literal["en", "zh"], json: bool) -> None:
    from dataclasses import asdict

    from storewise.engine.graph import checked_rules
    from storewise.understand.rules import say

    rules, findings = checked_rules(shop, file)
    if json:
        _print({"rules": [rule.name for rule in rules], "findings": [asdict(one) for one in findings]})
    else:
        for rule in rules:
            typer.echo(f"{rule.spec.action:<8} {say(rule.spec, lang)}")
        colours = {"error": "red", "warning": "yellow", "note": "blue"}
        for one in findings:
            typer.secho(
                f"{one.level}: {', '.join(one.rules)}: {one.text} ({one.kind})", fg=colours[one.level]
            )
        if not findings:
            typer.echo(f"{len(rules)} rules, nothing found")
    if any(one.level == "error" for one in findings):
        raise typer.Exit(1)


def _print(values: dict[str, Any]) -> None:
    import orjson

    typer.echo(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode())
