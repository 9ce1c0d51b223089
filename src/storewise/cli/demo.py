"""storewise demo: a real shop from nothing to live recommendations."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

URL_HOST = "127.0.0.1"


def demo(
    pipeline: Annotated[Path, typer.Option(help="A pipeline file.")] = Path("pipelines/home.toml"),
    shop: Annotated[Path, typer.Option(help="Folder of the demo shop.")] = Path("build/demo-shop"),
    port: Annotated[int, typer.Option(help="Port of the server.", min=1, max=65535)] = 8000,
    minutes: Annotated[float, typer.Option(help="Time for trying candidates.", min=0.01)] = 0.6,
    check: Annotated[
        bool, typer.Option("--check", help="Start anew, ask the server for real answers, stop.")
    ] = False,
) -> None:
    """Ingest the embedded data set, train, evaluate, publish and serve it."""
    from storewise.cli.serve import serve

    if check:
        shop = shop.with_name(f"{shop.name}-check")
        shutil.rmtree(shop, ignore_errors=True)
    prepare(pipeline, shop, minutes)
    if check:
        from storewise.cli.ask import ask_server

        ask_server(shop)
        return
    typer.echo(f"The shop runs on http://{URL_HOST}:{port} (stop with Ctrl+C); its files are in {shop}.")
    serve(shop=shop, host=URL_HOST, port=port, api_key_file=None, clock="data")


def prepare(pipeline: Path, shop: Path, minutes: float) -> None:
    """Everything before serving; a shop that already serves a snapshot is left as it is."""
    from storewise.cli.evaluate import evaluate
    from storewise.cli.ingest import ingest
    from storewise.cli.publish import publish
    from storewise.cli.train import train
    from storewise.core.errors import NothingPublished
    from storewise.engine.published import read_pointer

    try:
        serving = read_pointer(shop).serving
        typer.echo(f"{shop} serves {serving} from last time; remove the folder to start again.", err=True)
        return
    except NothingPublished:
        pass
    steps: list[tuple[str, Callable[[], None]]] = [
        ("Ingest 1,067,371 real invoice lines", lambda: ingest(shop=shop, source="online-retail")),
        ("Choose, train and measure", lambda: train(pipeline, shop=shop, minutes=minutes)),
        ("Evaluate on the last 28 days", lambda: evaluate(shop=shop, minutes=minutes)),
        ("Publish", lambda: publish(shop=shop)),
    ]
    for number, (title, run) in enumerate(steps, start=1):
        typer.secho(f"\n[{number}/{len(steps)}] {title}", bold=True, err=True)
        started = time.perf_counter()
        run()
        typer.secho(f"    {time.perf_counter() - started:.0f} s", dim=True, err=True)
