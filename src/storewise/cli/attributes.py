"""``storewise attributes``: what the titles and descriptions of a shop say, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storewise.engine.attributes import Extracted


def attributes(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    llm: Annotated[
        str | None, typer.Option(help="A GGUF file, or the URL of an OpenAI-compatible server as URL#MODEL.")
    ] = None,
    llm_key_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the server's key.")
    ] = "OPENAI_API_KEY",
    llm_timeout_s: Annotated[float, typer.Option(help="Seconds for one answer.", min=0.1, max=600)] = 30.0,
    tagger: Annotated[
        str | None,
        typer.Option(
            help="An artifact of `storewise tagger`, or none. Default: what the last run used, at first none."
        ),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the table to this file (.csv, .parquet or .json).")
    ] = None,
) -> None:
    """Extract brand, type, colour, sizes and measures. Only products that changed are read again.

    The next `storewise train` takes the result into its snapshot.
    """
    from storewise.core.progress import Bars
    from storewise.data.stores import Store
    from storewise.engine import attributes as engine
    from storewise.understand.attributes.llm import LlmExtractor, of_option

    _assert_writable(export)
    bars = Bars()
    model = None
    if llm is not None:
        model = LlmExtractor(of_option(llm, key_variable=llm_key_variable, timeout_s=llm_timeout_s))
    with Store.open(shop, create=False) as store:
        found = engine.extract(store.folder, store.products(), progress=bars, llm=model, tagger=tagger)
        name = engine.save(store.folder, found)
    _show(found)
    for reason, times in found.problems.items():
        bars.note(f"{times} answers of the language model were not used: {reason}")
    if export is not None:
        _write(found, export)
    print(name)


def _assert_writable(export: Path | None) -> None:
    from storewise.core.errors import ConfigError

    if export is not None and export.suffix not in (".csv", ".parquet", ".json"):
        raise ConfigError(
            f"{export} does not end in .csv, .parquet or .json.",
            next_step="Give a file with one of these endings.",
        )


def _write(found: Extracted, export: Path) -> None:
    export.parent.mkdir(parents=True, exist_ok=True)
    table = found.values
    if export.suffix == ".csv":
        table.write_csv(export)
    elif export.suffix == ".parquet":
        table.write_parquet(export)
    else:
        table.write_json(export)


def _show(found: Extracted) -> None:
    """How many products have each attribute, and the most frequent values."""
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    products = int(found.artifact.facts["products"])
    table = Table(
        "Attribute",
        "Products",
        "Share",
        "Confidence",
        "Most frequent",
        title="Attributes",
        title_justify="left",
    )
    values = found.values.with_columns(text=pl.concat_str("value", "unit", separator=" ", ignore_nulls=True))
    summary = values.group_by("name").agg(
        pl.col("product_id").n_unique(),
        pl.col("confidence").mean(),
        pl.col("text").value_counts(sort=True).head(5),
    )
    for name, count, sure, top in summary.sort("product_id", descending=True).iter_rows():
        shown = ", ".join(f"{one['text']} ({one['count']})" for one in top)
        table.add_row(name, f"{count:,}", f"{count / max(products, 1):.0%}", f"{sure:.2f}", shown)
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=140)
    console.print(table)
    console.print(f"{found.read:,} products read, {found.kept:,} taken over from the last run")
