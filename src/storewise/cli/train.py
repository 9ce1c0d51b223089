"""``storewise train``"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from storewise.core.progress import Bars


def train(
    pipeline: Annotated[Path, typer.Argument(help="A pipeline file, such as pipelines/home.toml.")],
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Learn only what happened before (UTC)."
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time for trying candidates.", min=0.01)] = None,
    predict_minutes: Annotated[
        float | None,
        typer.Option(help="Time for tuning predictors; 0 tries each with its defaults.", min=0.0),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder that this run can be gone on with from after a kill.")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Comma-separated: json, tensorboard, wandb (offline), mlflow.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of tracked runs; default: runs in the shop's folder.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
) -> None:
    """Train a pipeline on a shop. Nothing serves before it is published."""
    from storewise.cli.predictors import print_predictors
    from storewise.core.run_context import RunContext
    from storewise.core.tracking import Journal
    from storewise.data.stores import Store
    from storewise.engine.pipeline import read_pipeline
    from storewise.engine.provenance import version
    from storewise.engine.registry import registry
    from storewise.engine.serving.service import serving_manifest
    from storewise.engine.tracked import open_journal
    from storewise.engine.train import train as run

    components = registry()
    read = read_pipeline(pipeline, components)
    if minutes is not None:
        read = read.model_copy(update={"selection": read.selection.model_copy(update={"minutes": minutes})})
    if predict_minutes is not None:
        read = read.model_copy(
            update={"predict": read.predict.model_copy(update={"minutes": predict_minutes})}
        )
    bars, code = Bars(), version()
    journal = Journal()
    if track is not None or runs is not None:
        config = {"pipeline": read.model_dump(mode="json"), "seed": seed, "until": until, "version": code}
        journal = open_journal(runs or shop / "runs", _names(track), config)
    with Store.open(shop, create=False) as store, closing(journal):
        manifest = run(
            store, read, registry=components, seed=seed, progress=bars, code_version=code,
            until=until.replace(tzinfo=UTC) if until is not None else None, serving=serving_manifest(store),
            context=RunContext(checkpoint, journal),
        )  # fmt: skip
    show(manifest.evaluation)
    print_predictors(manifest.facts.get("predictions", {}), stderr=True)
    print(manifest.id)
    bars.note(f"Publish it with: storewise publish {manifest.id} --shop {shop}")


def _names(told: str | None) -> list[str]:
    """Names of trackers.

    >>> _names("tensorboard, mlflow")
    ['tensorboard', 'mlflow']
    """
    return [name.strip() for name in (told or "").split(",") if name.strip()]


def show(report: Mapping[str, Any]) -> None:
    """The evaluation as a table on standard error, the chosen model in bold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    keys = [f"{name}@{report['k']}" for name in ("ndcg", "recall", "map", "hit")]
    table = Table("Model", "Role", *keys, title="On validation", title_justify="left")
    for row in report.get("rows", []):
        cells = [row["model"], row["role"], *(_figure(row["metrics"].get(key)) for key in keys)]
        table.add_row(*(Text(cell, "bold green" if row["selected"] else "") for cell in cells))
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=140)
    console.print(table)
    console.print(Text(str(report["reason"]), style="dim"))
    if "search" in report:
        told = report["search"]
        console.print(Text(f"search ranks by the {told['served']} blend: {told['reason']}", style="dim"))


def _figure(found: Mapping[str, Any] | None) -> str:
    if found is None or found.get("value") is None:
        return ""
    if "low" not in found:
        return f"{found['value']:.4f}"
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
