"""storewise benchmark: run an evaluation protocol on data at a path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def benchmark(
    protocol: Annotated[str, typer.Argument(help="Name of the protocol; an unknown one lists all.")],
    data: Annotated[
        Path | None, typer.Option(help="File or folder of the data (online-retail: embedded by default).")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Products: CSV, Parquet or JSON lines (search, labels).")
    ] = None,
    judgements: Annotated[
        Path | None, typer.Option(help="CSV of query, product id and grade (search).")
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Training part, where a protocol has two files.")] = None,
    test: Annotated[Path | None, typer.Option(help="Test part, where a protocol has two files.")] = None,
    images: Annotated[Path | None, typer.Option(help="Photos: Parquet of id and bytes (labels).")] = None,
    label: Annotated[str | None, typer.Option(help="Column to predict (labels, table).")] = None,
    split: Annotated[str | None, typer.Option(help="Column that says train or test (labels).")] = None,
    treatment: Annotated[str | None, typer.Option(help="Column of who got which message (uplift).")] = None,
    outcome: Annotated[str | None, typer.Option(help="Column of what came of it (uplift).")] = None,
    control: Annotated[
        str | None, typer.Option(help="Treatment's value of those who got none (uplift).")
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(help="Comma-separated columns to leave out (uplift).")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Logged decisions (off-policy).")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy to be judged (off-policy).")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Which column is which: action=item_id,reward=click (off-policy).")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of when a row happened (table).")] = None,
    group: Annotated[str | None, typer.Option(help="Column of rows that hang together (table).")] = None,
    text: Annotated[str | None, typer.Option(help="Comma-separated columns of text (table).")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder that this run can be gone on with from after a kill (lists, table, networks)."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    models: Annotated[
        str | None, typer.Option(help="Comma-separated components; default: what the engine would choose.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Time budget of the whole run.")] = 30.0,
    trials: Annotated[
        int | None, typer.Option(help="Configs of one retriever at most (protocols of lists).", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of splits, models and intervals.")] = 42,
) -> None:
    """Choose on validation, train again, ask the test once; figures with intervals beside popularity."""
    import shlex
    import sys

    from storewise.cli.reports import print_rows
    from storewise.core.progress import Bars
    from storewise.engine.benchmark import run, write
    from storewise.engine.protocols.inputs import Inputs

    report = run(
        protocol,
        Inputs(
            data=data,
            catalogue=catalogue,
            judgements=judgements,
            train=train,
            test=test,
            images=images,
            label=label,
            split=split,
            treatment=treatment,
            outcome=outcome,
            control=control,
            exclude=exclude,
            log=log,
            policy=policy,
            columns=columns,
            time=time,
            group=group,
            text=text,
            checkpoint=checkpoint,
        ),
        models=None if models is None else [name.strip() for name in models.split(",") if name.strip()],
        minutes=minutes,
        trials=trials,
        seed=seed,
        command=shlex.join(["storewise", *sys.argv[1:]]),
        progress=Bars(),
    )
    if json is not None:
        write(report, json)
    for section in (report, *report["others"]):
        print_rows(f"{report['protocol']}: {section['question']} ({report['data']})", section)
