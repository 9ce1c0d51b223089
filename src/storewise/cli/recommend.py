"""``storewise recommend``"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from storewise.cli.lists import AsJson, Reasons, Shop, plain, serving, show


def recommend(
    customer: Annotated[
        str | None, typer.Argument(help="A customer's id or pseudonym; none: anybody.")
    ] = None,
    shop: Shop = Path("shop"),
    n: Annotated[int | None, typer.Option(help="Length of the list.", min=1, max=100)] = None,
    lang: Reasons = "en",
    explain: Annotated[bool, typer.Option("--explain", help="In JSON: the retrieved order too.")] = False,
    json: AsJson = False,
) -> None:
    """The list that the serving snapshot gives a customer, with reasons, beside the retrieved order where a ranker
    serves, beside what the ranker would show where it does not. Nothing is logged."""
    from storewise.engine.recommend import Ask
    from storewise.engine.serving.answer import payload

    with serving(shop) as service:
        name = service.shoppers.customer(customer) if customer is not None else None
        asked = Ask(name, n=n, budget_ms=60_000.0, explain=explain or not json)
        told = payload(service.preview(asked), lang)
    show(told, json=json, lines=lines)
    if told["step"] != "full" and not json:
        typer.echo(f"step: {told['step']} {'; '.join(told['notes'])}", err=True)


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The list; where a ranker serves, each place with the chance of a purchase and what was retrieved there; where it
    does not, what it would show there."""
    if told.get("ranker") is None:
        yield from plain(told)
        return
    if not told.get("ranker_serves", True):
        yield from _shadow(told)
        return
    yield f"     {'ranked':<34}  {'buys':>5}  {'because':<44}  retrieved"
    beside = [item["title"] for item in told["retrieved"]]
    for item in told["items"]:
        place = item["position"]
        chance = f"{item['p_purchase']:5.1%}" if "p_purchase" in item else "    ?"
        other = beside[place] if place < len(beside) else ""
        yield f"{place + 1:3}  {item['title']:<34.34}  {chance}  {item['reason']['text']:<44.44}  {other:.34}"
        for move in item.get("moved", ()):
            yield f"       {move['text']}"


def _shadow(told: Mapping[str, Any]) -> Iterator[str]:
    """The shown list, the ranker's beside it, and why the ranker does not serve."""
    yield f"     {'shown (retrieved order)':<34}  {'because':<36}  {'buys':>5}  the ranker would show"
    ranked = told.get("ranked", [])
    for item in told["items"]:
        place = item["position"]
        other = ranked[place] if place < len(ranked) else {}
        chance = f"{other['p_purchase']:5.1%}" if "p_purchase" in other else " " * 5
        beside = f"{chance}  {other.get('title', ''):.34}"
        yield f"{place + 1:3}  {item['title']:<34.34}  {item['reason']['text']:<36.36}  {beside}".rstrip()
        for move in item.get("moved", ()):
            yield f"       {move['text']}"
    if told.get("ranker_why"):
        yield f"{told['ranker']} does not serve: {told['ranker_why']}"
