"""``storewise off-policy``: what other lists would have brought, from the shop's own decision log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer


def off_policy(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    snapshot: Annotated[str | None, typer.Option(help="The candidate: a snapshot of the shop.")] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="The candidate: a table of product_id, position and, where lists differ, customer_id."
        ),
    ] = None,
    slot: Annotated[str, typer.Option(help="Whose decisions.")] = "home",
    reward: Annotated[str, typer.Option(help="What counts: click, cart or purchase.")] = "click",
    hours: Annotated[float, typer.Option(help="How long after the decision it counts.", min=0.01)] = 24.0,
    since: Annotated[datetime | None, typer.Option(help="First decision (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this moment (UTC).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 42,
) -> None:
    """Rewards a list of a candidate, estimated from logged propensities, beside those of what was shown."""
    from datetime import UTC

    import orjson

    from storewise.cli.reports import print_rows
    from storewise.core.errors import ConfigError
    from storewise.data.stores import Store
    from storewise.engine import off_policy as engine
    from storewise.engine.shown import read_shown

    if (snapshot is None) == (policy is None):
        raise ConfigError("Name one candidate.", next_step="Give --snapshot NAME or --policy FILE.")
    bounds = [None if moment is None else moment.replace(tzinfo=UTC) for moment in (since, until)]
    with Store.open(shop, create=False) as store:
        shown = read_shown(store, slot=slot, reward=reward, hours=hours, since=bounds[0], until=bounds[1])
        lists = engine.lists_of_file(policy) if policy is not None else None
        if lists is None:
            assert snapshot is not None
            lists = engine.lists_of_snapshot(store, snapshot)
        report = engine.evaluate(shown, lists, seed=seed)
    if json:
        typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
        return
    print_rows(
        f"{reward}s a list of {report['places']}: {report['decisions']:,} decisions, {report['shoppers']:,} "
        f"shoppers, {report['explored']:.1%} of the places explored",
        report,
    )
