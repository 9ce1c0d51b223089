"""``storewise experiment``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def experiment(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON as the API does.")] = False,
    baseline: Annotated[
        float | None, typer.Option(help="With --change: how many shoppers would show it, and no more.")
    ] = None,
    change: Annotated[
        float | None, typer.Option(help="The relative change that would matter, 0.1 = 10 %.")
    ] = None,
) -> None:
    """What the A/B test of the serving pipeline has shown, or how many shoppers a planned one needs."""
    import orjson

    from storewise.core.clock import system_clock
    from storewise.core.errors import ConfigError
    from storewise.data.stores import Store
    from storewise.engine.experiment.report import planned_size, results
    from storewise.engine.experiment.running import last_moment, running

    if baseline is not None or change is not None:
        if baseline is None or change is None:
            raise ConfigError("--baseline and --change belong together.", next_step="Give both.")
        for name, n in planned_size(baseline, change).items():
            typer.echo(f"{name}: about {n:,} shoppers in each of two variants")
        return
    with Store.open(shop, create=False) as store:
        one = running(store)
        found = None
        if one is not None:
            found = results(store, one, now=last_moment(store, one, now=system_clock()))
    if json:
        typer.echo(
            orjson.dumps(
                {"experiments": [] if found is None else [found]}, option=orjson.OPT_INDENT_2
            ).decode()
        )
    elif found is None:
        typer.echo(
            "No experiment runs: add [experiment] to the pipeline file, train and publish (docs/experiments.md)."
        )
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    counts = ", ".join(f"{v['name']} {v['shoppers']:,} ({v['counted']:,} counted)" for v in found["variants"])
    typer.echo(f"{found['name']}: {counts}; split p = {found['split']['p']:.3f}")
    if found["mixed"]:
        typer.echo(f"{found['mixed']:,} shoppers saw more than one variant and are left out.")
    for metric in found["metrics"]:
        scale = 100 if metric["unit"] == "minor" else 1
        name = metric["metric"].replace("_", " ") + (" (with CUPED)" if metric["cuped_rho"] else "")
        for variant, gap in metric["differences"].items():
            ours, theirs = metric["variants"][variant]["value"], metric["variants"][found["control"]]["value"]
            rail = f", guard rail {gap['guard']}" if gap["guard"] else ""
            typer.echo(
                f"  {name}: {variant} {_figure(ours, scale)}, {found['control']} {_figure(theirs, scale)}, difference "
                f"{_figure(gap['value'], scale)} [{_figure(gap['low'], scale)}, {_figure(gap['high'], scale)}], "
                f"p {gap['p']:.3f}{rail}"
            )
    for variant, one in found["verdicts"].items():
        typer.echo(f"{variant}: {one['text']}.")


def _figure(value: float | None, scale: int) -> str:
    return "–" if value is None else f"{value / scale:,.4f}" if scale == 1 else f"{value / scale:,.2f}"
