"""``storewise label``: fill a column that some products lack, and say which ones a person should label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storewise.engine.labelling.labeller import Labelled


def label(
    column: Annotated[str, typer.Argument(help="category, brand, or an attribute such as colour or type.")],
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    photos: Annotated[
        Path | None, typer.Option(help="Folder of photos, named by the catalogue's image or by product id.")
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(help="Component that reads texts beside word statistics; auto by language, or none."),
    ] = "auto",
    answers: Annotated[
        Path | None,
        typer.Option(help="A CSV of product_id and label: what a person answered. Kept for later runs."),
    ] = None,
    precision: Annotated[
        float, typer.Option(help="Share of answers that have to be right; below: unknown.", min=0.01, max=1)
    ] = 0.9,
    ask: Annotated[int, typer.Option(help="How many products to propose for labelling.", min=0)] = 20,
    export: Annotated[
        Path | None, typer.Option(help="Write these to a CSV with an empty column label, to be filled in.")
    ] = None,
    keep: Annotated[
        bool, typer.Option(help="Keep the answers for `storewise attributes` and `train`.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
) -> None:
    """Fill a column from the products that have it, each value with its confidence, unknown where it is not sure.

    What the shop gave stays. Values join the attributes with the next `storewise attributes` or `storewise train`.
    """
    from storewise.core.progress import Bars
    from storewise.data.stores import Store
    from storewise.engine.labelling import labeller
    from storewise.engine.labelling.kept import save
    from storewise.engine.registry import registry
    from storewise.understand.labels.fill import FillConfig

    told = _read(answers) if answers is not None else None
    bars = Bars()
    with Store.open(shop, create=False) as store:
        found = labeller.label(
            store.folder, store.products(), column, registry=registry(), progress=bars, photos=photos, encoder=encoder,
            answers=told, config=FillConfig(precision=precision), ask=ask, cache=store.vectors, seed=seed,
        )  # fmt: skip
        name = save(store.folder, found.artifact) if keep and found.artifact is not None else None
    for note in found.notes:
        bars.note(note)
    _show(found, column)
    if export is not None:
        _write(found, export)
        bars.note(f"Fill in {export} and give it back with: storewise label {column} --answers {export}")
    if name is not None:
        print(name)


def _read(file: Path) -> dict[str, str]:
    """Answers by product; rows without a label are not answered yet."""
    import polars as pl

    from storewise.core.errors import DataError

    try:
        table = pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{file} cannot be read: {error}", next_step="Give a CSV file in UTF-8.") from error
    if missing := {"product_id", "label"} - set(table.columns):
        raise DataError(
            f"{file} has no column {min(missing)}.", next_step="Give the columns product_id and label."
        )
    rows = table.select("product_id", "label").drop_nulls().iter_rows()
    return {one: value.strip() for one, value in rows if value.strip()}


def _write(found: Labelled, export: Path) -> None:
    import polars as pl

    export.parent.mkdir(parents=True, exist_ok=True)
    found.next.with_columns(label=pl.lit("")).write_csv(export)


def _show(found: Labelled, column: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=140)
    console.print(
        f"{column}: {found.labelled:,} products have it, {found.filled:,} of {found.missing:,} without it filled, "
        f"{found.missing - found.filled:,} unknown"
    )
    if found.coverage is not None:
        right, share = found.precision, found.coverage
        told = (
            f"{right.value:.1%} [{right.low:.1%}, {right.high:.1%}] of the answers right"
            if right
            else "no answer is sure enough"
        )
        console.print(
            f"On held-out products: {told}, {share.value:.1%} [{share.low:.1%}, {share.high:.1%}] get one"
        )
    if len(found.next):
        table = Table("Product", "Title", "Guess", "Confidence", title="Label next", title_justify="left")
        for one, title, guess, sure in found.next.iter_rows():
            table.add_row(one, title or "", guess or "", "" if sure is None else f"{sure:.2f}")
        console.print(table)
