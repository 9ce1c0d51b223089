"""What a demo shows of how products are understood: search, attributes, the graph, new products."""

from __future__ import annotations

from typing import Any

import typer

from storewise.cli.answers import expect, get, show

QUERY = "present for a newborn"  # words that few titles hold, and a meaning that many have
TYPED_WRONG = "hart holdr"
SHOPPERS = 25


def ask(url: str) -> None:
    """Ask for all of it and print it.

    Raises:
        StateError: when an answer is not as it has to be.
    """
    artifacts = get(url, "/v1/snapshot")["artifacts"]
    for query in (QUERY, TYPED_WRONG):
        found = get(url, "/v1/search", q=query, n=4)
        expect(bool(found["items"]), f"products for {query!r}", found)
        show(f"Search for “{query}”" + "".join(f" ({note})" for note in found["notes"]), found["items"])
    product = found["items"][0]
    if "attributes" in artifacts:
        _attributes(get(url, f"/v1/products/{product['product_id']}"))
    if "graph" in artifacts:
        _graph(product["title"], get(url, f"/v1/products/{product['product_id']}/graph", n=3))
    if "content" in artifacts:
        _new_products(url)


def _attributes(product: dict[str, Any]) -> None:
    typer.secho(f"\nWhat the title “{product['title']}” says", bold=True)
    for value in product["extracted"]:
        said = f"“{value['raw']}” at {value['start']}" if value["start"] is not None else "not in the text"
        unit = f" {value['unit']}" if value["unit"] else ""
        typer.echo(
            f"  {value['name']:<10} {value['value']}{unit:<8} {said}, {value['method']}, {value['confidence']:.2f}"
        )


def _graph(title: str, around: dict[str, Any]) -> None:
    typer.secho(f"\nAround “{title}” in the knowledge graph", bold=True)
    labels = {node["id"]: node["label"] for node in around["nodes"]}
    for edge in around["edges"]:
        typer.echo(f"  {edge['relation']:<15} {labels[edge['target']][:44]:<44} weight {edge['weight']:.2f}")


def _new_products(url: str) -> None:
    """New products that some shoppers' lists hold, each with its reason."""
    found: dict[str, dict[str, Any]] = {}
    for shopper in get(url, "/v1/customers", n=SHOPPERS)["items"]:
        listed = get(url, "/v1/recommendations", customer=shopper["customer_id"], n=12)["items"]
        for item in listed:
            if item["source"] == "retrieve.content.v1":
                found.setdefault(item["product_id"], item)
    show(f"New products in the lists of {SHOPPERS} customers, by content", list(found.values())[:4])
    if not found:
        typer.echo("  none: every product like theirs has been bought often enough to be known")
