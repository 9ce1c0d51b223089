"""``storewise search``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def search(
    query: Annotated[str, typer.Argument(help="What is looked for.")],
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    n: Annotated[int, typer.Option(help="Length of the list.", min=1, max=100)] = 10,
    category: Annotated[list[str] | None, typer.Option(help="Only this category; may repeat.")] = None,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the reasons.")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Print JSON as the API does.")] = False,
) -> None:
    """Find products by words, typos forgiven, with the reason for each."""
    import orjson

    from storewise.engine.search import Query, payload
    from storewise.engine.search import search as find
    from storewise.engine.serving.service import Service
    from storewise.recommend.eligibility import Filters

    service = Service.open(shop, clock=None)
    try:
        service.load_once()
        asked = Query(query, n, Filters(categories=tuple(category or ())), complete=False)
        told = payload(find(service.current(), asked), lang)
    finally:
        service.close()
    if json:
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    for item in told["items"]:
        typer.echo(f"{item['position'] + 1:3}  {item['title']:<40.40}  {item['reason']['text']}")
    if not told["items"]:
        typer.echo("Nothing found.", err=True)
