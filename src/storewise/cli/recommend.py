"""``storewise recommend``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def recommend(
    customer: Annotated[
        str | None, typer.Argument(help="A customer's id or pseudonym; none: anybody.")
    ] = None,
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    n: Annotated[int | None, typer.Option(help="Length of the list.", min=1, max=100)] = None,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the reasons.")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Print JSON as the API does.")] = False,
) -> None:
    """The list that the serving snapshot gives a customer, with reasons. Nothing is logged."""
    import orjson

    from storewise.engine.recommend import Ask
    from storewise.engine.serving.answer import payload
    from storewise.engine.serving.service import Service

    service = Service.open(shop, clock=None)
    try:
        service.load_once()
        name = service.shoppers.customer(customer) if customer is not None else None
        told = payload(service.preview(Ask(name, n=n)), lang)
    finally:
        service.close()
    if json:
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    for item in told["items"]:
        typer.echo(f"{item['position'] + 1:3}  {item['title']:<40.40}  {item['reason']['text']}")
    if told["step"] != "full":
        typer.echo(f"step: {told['step']} {'; '.join(told['notes'])}", err=True)
