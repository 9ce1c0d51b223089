"""``storewise publish`` and ``storewise rollback``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storewise.data.stores import Store
    from storewise.engine.publish import Load, Published

Shop = Annotated[Path, typer.Option(help="Folder of the shop.")]


def publish(
    snapshot: Annotated[
        str | None, typer.Argument(help="A snapshot or its beginning; default the newest.")
    ] = None,
    shop: Shop = Path("shop"),
    force: Annotated[bool, typer.Option(help="Publish even when it is worse than popularity.")] = False,
) -> None:
    """Make a snapshot the one that serves, if its gates let it through."""
    from storewise.engine import publish as engine

    with _open(shop) as store:
        name = engine.find(shop, snapshot) if snapshot is not None else None
        _tell(engine.publish(shop, name, load=_loader(store), force=force))


def rollback(
    snapshot: Annotated[str | None, typer.Argument(help="Default: the one that served before.")] = None,
    shop: Shop = Path("shop"),
) -> None:
    """Make an earlier snapshot serve again."""
    from storewise.engine import publish as engine

    with _open(shop) as store:
        name = engine.find(shop, snapshot) if snapshot is not None else None
        _tell(engine.rollback(shop, name, load=_loader(store)))


def _open(shop: Path) -> Store:
    from storewise.data.stores import Store

    return Store.open(shop, create=False)


def _loader(store: Store) -> Load:
    from storewise.engine.registry import registry
    from storewise.engine.serving.service import load_manifest

    return lambda manifest: load_manifest(store, manifest, registry())


def _tell(done: Published) -> None:
    for gate in done.gates:
        typer.echo(f"{'✓' if gate.passed else '✗'} {gate.name}: {gate.detail}", err=True)
    typer.echo(done.pointer.serving)
