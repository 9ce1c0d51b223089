"""What the predictors are worth, as a table, and one customer's predictions for ``demo --check``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from storewise.cli.answers import expect, get
from storewise.cli.predict import show

RATE = "predict.rate.v1"  # says the same of everybody, so that there is no reason
WIDTH = 160  # of the table when nobody watches a terminal
FIGURES = ("auc", "pr_auc", "log_loss", "ece")


def print_predictors(report: Mapping[str, Any], *, stderr: bool = False) -> None:
    """One line a target with its figures on the newest window; why, below."""
    table = Table("Target", "Model", "Rate", *FIGURES, title="What shoppers do, on the newest window")
    notes = []
    for name, found in report.items():
        if not found.get("predictable"):
            notes.append(f"{name}: {found['reason']}")
            continue
        rate = found["rate"]["value"]
        cells = [f"{100 * rate:.1f} %" if found["kind"] == "probability" else f"{rate / 100:,.2f}"]
        cells += [_figure(found.get(key)) for key in FIGURES]
        table.add_row(name, found["chosen"], *cells)
        notes.append(f"{name}: {found['reason']}")
    if not report:
        return
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console = Console(stderr=stderr, width=WIDTH)
    console.print(table)
    for note in notes:
        console.print(Text(note, style="dim"))


def ask(url: str) -> None:
    """Predictions of one customer with their reasons, over HTTP."""
    customer = get(url, "/v1/customers", n=9)["items"][4]["customer_id"]
    history = get(url, f"/v1/customers/{customer}", n=1)["history"]
    product = history[0]["product_id"]
    told = get(url, "/v1/predictions", customer=customer, product=product)
    by_name = {found["target"]: found for found in told["predictions"]}
    expect("purchase" in by_name, "a probability of buying", told)
    found = by_name["purchase"]
    expect(0 <= found["low"] <= found["value"] <= found["high"] <= 1, "a probability in its interval", found)
    expect(len(found["reasons"]) > 0 or found["model"] == RATE, "reasons", found)
    typer.secho(f"\nWhat customer {customer[:8]}… will do, and with {history[0]['title']}", bold=True)
    show(told)


def _figure(found: Mapping[str, float | None] | None) -> str:
    if not found or found["value"] is None:
        return "–"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
