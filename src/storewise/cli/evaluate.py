"""storewise evaluate: how good the recommenders are on the shop's own past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    k: Annotated[int, typer.Option("-k", "--k", help="Length of the lists.", min=1, max=1000)] = 10,
    test_days: Annotated[float, typer.Option(help="The last days that judge.", min=0.01)] = 28.0,
    validation_days: Annotated[float, typer.Option(help="The days before that choose.", min=0.01)] = 28.0,
    models: Annotated[
        str | None, typer.Option(help="Comma-separated components; default: what the engine would choose.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Time budget of the whole run.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of models and intervals.")] = 42,
) -> None:
    """Split the shop's history by time, choose, judge, and keep the report for the page."""
    import shlex
    import sys

    from storewise.cli.predictors import print_predictors
    from storewise.cli.reports import print_rows
    from storewise.core.progress import Bars
    from storewise.engine.evaluate import FOLDER
    from storewise.engine.evaluate import evaluate as run
    from storewise.engine.published import read_snapshot, snapshots

    reports = run(
        shop,
        k=k,
        test_days=test_days,
        validation_days=validation_days,
        models=None if models is None else [name.strip() for name in models.split(",") if name.strip()],
        minutes=minutes,
        seed=seed,
        command=shlex.join(["storewise", *sys.argv[1:]]),
        progress=Bars(),
    )
    for report in reports:
        print_rows(report["data"], report)
    if newest := snapshots(shop):
        print_predictors(read_snapshot(shop, newest[0]).facts.get("predictions", {}))
    typer.echo(f"The reports are in {shop / FOLDER}.")
