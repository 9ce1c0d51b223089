"""``storewise predict``: what a customer will do, or all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def predict(
    customer: Annotated[str | None, typer.Option(help="A customer's id or pseudonym.")] = None,
    session: Annotated[str | None, typer.Option(help="An anonymous session's id or pseudonym.")] = None,
    slot: Annotated[str | None, typer.Option(help="Where the product is shown.")] = None,
    position: Annotated[
        int | None, typer.Option(help="At which place of the slot, from 0; the first without it.", min=0)
    ] = None,
    product: Annotated[str | None, typer.Option(help="Also what becomes of this product.")] = None,
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    export: Annotated[
        Path | None, typer.Option(help="Write every customer's predictions here (.csv or .parquet).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON as the API does.")] = False,
) -> None:
    """Probabilities and amounts with intervals and reasons, from the serving snapshot."""
    import orjson

    from storewise.core.errors import ConfigError
    from storewise.engine.predict import payload
    from storewise.engine.predictions.export import write_all
    from storewise.engine.serving.service import Service

    if customer is None and session is None and export is None:
        raise ConfigError(
            "Nobody is named.",
            next_step="Give --customer ID or --session ID, or --export FILE for all customers.",
        )
    service = Service.open(shop, clock=None)
    try:
        service.load_once()
        if export is not None:
            n = write_all(service.current(), service.clock(), export)
            typer.echo(f"{n:,} customers in {export}")
        if customer is None and session is None:
            return
        ids = service.shoppers
        found = service.predict(
            ids.customer(customer) if customer is not None else None,
            session=ids.session(session) if session is not None else None,
            product=product, slot=slot, position=position,
        )  # fmt: skip
        told = payload(found)
    finally:
        service.close()
    if json:
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    show(told)


def show(told: Mapping[str, Any]) -> None:
    """Predictions, one a line, with their reasons below."""
    for note in told["notes"]:
        typer.echo(note)
    if (place := told["place"]) is not None:
        typer.echo(f"shown at place {place['position'] + 1:.0f} of {place['slot'] or 'a list'}")
    for found in told["predictions"]:
        typer.secho(f"{figure(found, told['currency'])}  {found['about']} ({_within(found)})", bold=True)
        typer.echo(
            f"    everybody: {_number(found['rate'], found['kind'], told['currency'])}; by {found['model']}"
        )
        for reason in found["reasons"]:
            size = reason["log_odds"]
            mark = "" if size is None or math.isnan(size) else f"{size:+.2f}"
            typer.echo(f"    {mark:>6}  {reason['text']}")
    for found in told["not_predictable"]:
        typer.secho(f"{found['target']}: {found['reason']}", dim=True)


def figure(found: Mapping[str, Any], currency: str | None) -> str:
    """A value with its interval."""
    value, low, high = (_number(found[key], found["kind"], currency) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _within(found: Mapping[str, Any]) -> str:
    days = found["horizon_days"]
    return f"{days:.0f} days" if days >= 1 else f"{24 * days:.1f} hours"


def _number(value: float | None, kind: str, currency: str | None) -> str:
    if value is None or math.isnan(value):
        return "unknown"
    return f"{100 * value:.1f} %" if kind == "probability" else f"{value / 100:,.2f} {currency or ''}".strip()
