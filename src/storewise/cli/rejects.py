"""storewise rejects: the rows that an ingest could not use, with line and reason."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rejects(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    ingest: Annotated[int | None, typer.Option(help="Number of the ingest (default: the latest).")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show.", min=1)] = 20,
    csv: Annotated[Path | None, typer.Option(help="Write all of them to this file instead.")] = None,
) -> None:
    """Show the rows that did not make it. Ids of customers and sessions are pseudonyms."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from storewise.engine.ingest import rejects_of

    ingest_id, found = rejects_of(shop, ingest)
    console = Console()
    if csv is not None:
        found.write_csv(csv)
        console.print(f"{found.height:,} rejects of ingest {ingest_id} written to {csv}.", soft_wrap=True)
        return
    table = Table(title=f"Rejects of ingest {ingest_id}", title_justify="left")
    for name in ("table", "line", "reason", "row"):
        table.add_column(name, overflow="fold")
    for row in found.head(limit).select("table", "line", "reason", "row").iter_rows():
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)
    if found.height > limit:
        console.print(f"{limit} of {found.height:,} shown; all of them: --csv FILE.", soft_wrap=True)
