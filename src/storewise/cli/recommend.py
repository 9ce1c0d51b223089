"""``storewise recommend``"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def recommend(
    customer: Annotated[
        str | None, typer.Argument(help="A customer's id or pseudonym; none: anybody.")
    ] = None,
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    n: Annotated[int | None, typer.Option(help="Length of the list.", min=1, max=100)] = None,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the reasons.")] = "en",
    explain: Annotated[bool, typer.Option("--explain", help="In JSON: the retrieved order too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON as the API does.")] = False,
) -> None:
    """The list that the serving snapshot gives a customer, with reasons, beside the retrieved order where a ranker
    serves. Nothing is logged."""
    import orjson

    from storewise.engine.recommend import Ask
    from storewise.engine.serving.answer import payload
    from storewise.engine.serving.service import Service

    service = Service.open(shop, clock=None)
    try:
        service.load_once()
        name = service.shoppers.customer(customer) if customer is not None else None
        told = payload(service.preview(Ask(name, n=n, budget_ms=60_000.0, explain=explain or not json)), lang)
    finally:
        service.close()
    if json:
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    for line in lines(told):
        typer.echo(line)
    if told["step"] != "full":
        typer.echo(f"step: {told['step']} {'; '.join(told['notes'])}", err=True)


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The list; where a ranker serves, each place with the chance of a purchase and what was retrieved there."""
    if told.get("ranker") is None:
        for item in told["items"]:
            yield f"{item['position'] + 1:3}  {item['title']:<40.40}  {item['reason']['text']}"
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
