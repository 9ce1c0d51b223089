"""``storewise serve``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from storewise.engine.serving.service import Service

OLD_DAYS = 30


def serve(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8000,
    api_key_file: Annotated[Path | None, typer.Option(help="File with the API key.")] = None,
    clock: Annotated[
        Literal["now", "data"],
        typer.Option(
            help="'data': time begins at the shop's newest event and runs on, for shops of the past."
        ),
    ] = "now",
) -> None:
    """Answer over HTTP until interrupted. A newly published snapshot is taken over without a pause."""
    from storewise.core.clock import system_clock
    from storewise.engine.serving.service import Service
    from storewise.serve.auth import Access
    from storewise.serve.run import run

    access = Access.of(host, api_key_file)
    service = Service.open(shop, clock=None if clock == "data" else system_clock)
    if clock == "now":
        _warn_of_age(service)
    typer.echo(f"Answering on http://{host}:{port} (stop with Ctrl+C).", err=True)
    run(service, access=access, host=host, port=port)


def _warn_of_age(service: Service) -> None:
    """Recency, cadence and what just rests are reckoned from now: a shop of the past would look asleep."""
    from storewise.engine.serving.service import end_of_data

    end = end_of_data(service.store)
    if end is not None and (days := (service.clock() - end).days) > OLD_DAYS:
        typer.echo(f"The shop's newest event is {days} days old; --clock data asks it as of then.", err=True)
