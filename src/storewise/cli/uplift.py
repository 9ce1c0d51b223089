"""``storewise uplift``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def uplift(
    data: Annotated[Path, typer.Option(help="The campaign: CSV or Parquet, one row a person.")],
    treatment: Annotated[str, typer.Option(help="Column of who got which message.")],
    outcome: Annotated[str, typer.Option(help="Column of what came of it: 0 and 1, or an amount.")],
    people: Annotated[
        Path | None, typer.Option(help="Whom to score (default: the campaign's people).")
    ] = None,
    control: Annotated[str | None, typer.Option(help="Treatment's value of those who got none.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Comma-separated columns to leave out.")] = None,
    cost: Annotated[float, typer.Option(help="Of one message.")] = 0.0,
    value: Annotated[float, typer.Option(help="Of one unit of the outcome, in the same currency.")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Write the scored people to this CSV.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report, with curves, to this file.")] = None,
    models: Annotated[str | None, typer.Option(help="Comma-separated uplift models; default: all.")] = None,
    minutes: Annotated[float, typer.Option(help="Time budget of the choice.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of folds, models and intervals.")] = 42,
) -> None:
    """Who acts because of a message: learn from a campaign, and say whom to message."""
    from storewise.core.progress import Bars
    from storewise.engine.benchmark import write
    from storewise.engine.targeting import plan

    def listed(text: str | None) -> list[str]:
        return [part.strip() for part in (text or "").split(",") if part.strip()]

    scored, report = plan(
        data, treatment, outcome, people=people, control=control, exclude=listed(exclude), cost=cost,
        value=value, models=listed(models) or None, minutes=minutes, seed=seed, progress=Bars(),
    )  # fmt: skip
    typer.echo(f"{report['model']}: {report['reason']}")
    for arm in report["arms"]:
        qini = arm["metrics"]["qini"]
        typer.echo(
            f"{arm['arm']}: Qini {qini['value']:.4f} [{qini['low']:.4f}, {qini['high']:.4f}], random order is 0"
        )
    for name, one in report["worth"].items():
        typer.echo(f"profit a person, {name}: {one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]")
    last = list(report["worth"].values())[-1]
    if last["low"] <= 0:
        typer.echo(
            "By this campaign the plan may be worth no more than the simple rule: one message for everybody."
        )
    told = ", ".join(f"{n:,} get {arm}" for arm, n in report["messages"].items())
    typer.echo(f"Of {report['people']:,} people {told}; expected profit {report['expected_profit']:,.2f}.")
    if json is not None:
        write(report, json)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        scored.write_csv(out)
        typer.echo(f"The scored people are in {out}.")
