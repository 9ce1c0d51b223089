"""A list that the serving snapshot gives, on the screen: what ``recommend`` and ``search`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from storewise.engine.serving.service import Service

Shop = Annotated[Path, typer.Option(help="Folder of the shop.")]
Reasons = Annotated[Literal["en", "zh"], typer.Option(help="Language of the reasons.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the API does.")]


@contextmanager
def serving(shop: Path) -> Iterator[Service]:
    """The shop with what it has published."""
    from storewise.engine.serving.service import Service

    service = Service.open(shop, clock=None)
    try:
        service.load_once()
        yield service
    finally:
        service.close()


def plain(told: Mapping[str, Any]) -> Iterator[str]:
    """The items with their reasons, one a line."""
    for item in told["items"]:
        yield f"{item['position'] + 1:3}  {item['title']:<40.40}  {item['reason']['text']}"


def show(
    told: Mapping[str, Any], *, json: bool, lines: Callable[[Mapping[str, Any]], Iterator[str]] = plain
) -> None:
    """The list as ``lines`` has it, or all of it as JSON."""
    import orjson

    if json:
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    for line in lines(told):
        typer.echo(line)
