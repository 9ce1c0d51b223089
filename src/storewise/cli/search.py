"""``storewise search``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storewise.cli.lists import AsJson, Reasons, Shop, serving, show


def search(
    query: Annotated[str, typer.Argument(help="What is looked for.")],
    shop: Shop = Path("shop"),
    n: Annotated[int, typer.Option(help="Length of the list.", min=1, max=100)] = 10,
    category: Annotated[list[str] | None, typer.Option(help="Only this category; may repeat.")] = None,
    lang: Reasons = "en",
    json: AsJson = False,
) -> None:
    """Find products by words, typos forgiven, with the reason for each."""
    from storewise.engine.search import Query, payload
    from storewise.engine.search import search as find
    from storewise.recommend.eligibility import Filters

    asked = Query(query, n, Filters(categories=tuple(category or ())), complete=False)
    with serving(shop) as service:
        told = payload(find(service.current(), asked), lang)
    show(told, json=json)
    if not told["items"] and not json:
        typer.echo("Nothing found.", err=True)
