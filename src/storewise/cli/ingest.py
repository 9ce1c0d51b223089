"""storewise ingest: take a shop's data in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storewise.engine.ingest import IngestResult

_STYLES = {"kept": "green", "repaired": "cyan", "set aside": "yellow", "rejected": "red"}


def ingest(
    shop: Annotated[Path, typer.Option(help="Folder of the shop; made when it is not there.")] = Path("shop"),
    source: Annotated[
        str | None, typer.Option(help="A known public data set, such as online-retail (embedded).")
    ] = None,
    path: Annotated[Path | None, typer.Option(help="Your download of the source.")] = None,
    products: Annotated[Path | None, typer.Option(help="CSV or Parquet.")] = None,
    customers: Annotated[Path | None, typer.Option(help="CSV or Parquet.")] = None,
    events: Annotated[Path | None, typer.Option(help="CSV or Parquet.")] = None,
    stock: Annotated[Path | None, typer.Option(help="CSV or Parquet.")] = None,
    campaigns: Annotated[Path | None, typer.Option(help="CSV or Parquet.")] = None,
    sql: Annotated[
        str | None, typer.Option(help="URL of a database with tables or views products, events, …")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="TOML: how your columns are named.")] = None,
    currency: Annotated[str | None, typer.Option(help="The shop's currency, such as GBP.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the pseudonyms (default: SHOP/pseudonym.key).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")
    ] = False,
) -> None:
    """Read, check and store a shop's data: all of it or, when something fails, nothing."""
    from storewise.core.progress import Bars
    from storewise.data.mapping import ShopMapping, read_mapping
    from storewise.engine.ingest import IngestRequest
    from storewise.engine.ingest import ingest as run

    given = {
        "products": products, "customers": customers, "events": events, "stock": stock, "campaigns": campaigns
    }  # fmt: skip
    request = IngestRequest(
        shop=shop,
        source=source,
        path=path,
        files={table: file for table, file in given.items() if file is not None},
        sql=sql,
        mapping=read_mapping(mapping) if mapping is not None else ShopMapping(),
        currency=currency,
        key_file=key_file,
        dry_run=dry_run,
    )
    _show(run(request, progress=Bars()), shop)


def _show(result: IngestResult, shop: Path) -> None:
    """The report as a table, then what was stored and where the rejects are."""
    from rich.console import Console

    console = Console()
    console.print(_table(result, examples=console.width >= 110))
    for warning in result.warnings:
        console.print(f"[bold yellow]{warning}[/]", soft_wrap=True)
    stored = ", ".join(f"{rows:,} {name}" for name, rows in result.rows.items() if rows) or "nothing new"
    if result.ingest_id is None:
        console.print(f"Dry run: would store {stored}. Nothing was changed.", soft_wrap=True)
        return
    console.print(f"Stored {stored} in {shop} in {result.seconds:.1f} s.", soft_wrap=True)
    if result.rejects.height:
        command = f"storewise rejects --shop {shop} --ingest {result.ingest_id}"
        text = f"{result.rejects.height:,} rows did not make it; read them with: {command}"
        console.print(text, soft_wrap=True, markup=False)


def _table(result: IngestResult, *, examples: bool) -> object:
    """Rows in the order of the contract's tables; examples only where there is room for them."""
    from rich.table import Table
    from rich.text import Text

    from storewise.data.schema import TABLES

    table = Table(title="What became of every row", title_justify="left")
    table.add_column("Table", no_wrap=True)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Rows", justify="right", no_wrap=True)
    table.add_column("Reason")
    if examples:
        table.add_column("Example", style="dim", overflow="ellipsis", no_wrap=True, max_width=34)
    tables, outcomes = list(TABLES), list(_STYLES)

    def place(row: tuple[str, str, str, int, str]) -> tuple[int, str, int, int]:
        """A source may report on tables of its own; they come last."""
        known = tables.index(row[0]) if row[0] in tables else len(tables)
        return known, row[0], outcomes.index(row[1]), -row[3]

    for name, outcome, reason, count, example in sorted(result.report.frame().iter_rows(), key=place):
        cells = [name, Text(outcome, _STYLES[outcome]), f"{count:,}", Text(reason)]
        table.add_row(*cells, *([Text(example)] if examples else []))
    return table
