"""A report of figures as a table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN = 4
NOTHING = {"value": None}
FILE_WIDTH = 160  # of the table when nobody watches a terminal


def print_rows(title: str, section: Mapping[str, Any]) -> None:
    """One line for each model, each figure with its 95 % interval, the chosen one in bold."""
    rows: Sequence[Mapping[str, Any]] = section["rows"]
    every = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    names = [name for name in every if not name.startswith(("novelty", "diversity"))][:SHOWN]
    names += [name for name in every if name.startswith("coverage") and name not in names]
    table = Table(title=title, title_justify="left")
    table.add_column("Model", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("Seconds", justify="right")
    for row in rows:
        style = "bold green" if row["selected"] else ""
        cells = [Text(_figure(row["metrics"].get(name, NOTHING)), style) for name in names]
        mark = " ← chosen" if row["selected"] else ""
        table.add_row(Text(row["model"] + mark, style), *cells, Text(f"{row['seconds']:.0f}"))
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    console.print(table)
    console.print(Text(str(section["reason"]), style="dim"))


def _figure(found: Mapping[str, float | None]) -> str:
    if found["value"] is None:
        return "–"
    if 0 < abs(found["value"]) < 0.02:  # rates of click and purchase
        return f"{found['value']:.6f} [{found['low']:.5f}, {found['high']:.5f}]"
    return f"{found['value']:.4f} [{found['low']:.3f}, {found['high']:.3f}]"
