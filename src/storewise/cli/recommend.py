"""``storewise recommend``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storewise.cli.lists import AsJson, Reasons, Shop, serving, show


def recommend(
    customer: Annotated[
        str | None, typer.Argument(help="A customer's id or pseudonym; none: anybody.")
    ] = None,
    shop: Shop = Path("shop"),
    n: Annotated[int | None, typer.Option(help="Length of the list.", min=1, max=100)] = None,
    lang: Reasons = "en",
    json: AsJson = False,
) -> None:
    """The list that the serving snapshot gives a customer, with reasons. Nothing is logged."""
    from storewise.engine.recommend import Ask
    from storewise.engine.serving.answer import payload

    with serving(shop) as service:
        name = service.shoppers.customer(customer) if customer is not None else None
        told = payload(service.preview(Ask(name, n=n)), lang)
    show(told, json=json)
    if told["step"] != "full" and not json:
        typer.echo(f"step: {told['step']} {'; '.join(told['notes'])}", err=True)
