"""``storewise serve``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


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
    from storewise.engine.serving import Service
    from storewise.serve.auth import Access
    from storewise.serve.run import run

    access = Access.of(host, api_key_file)
    service = Service.open(shop, clock=None if clock == "data" else system_clock)
    run(service, access=access, host=host, port=port)
