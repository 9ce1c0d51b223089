"""``storewise tagger``: learn to find attributes in titles from tagged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tagger(
    file: Annotated[
        Path,
        typer.Argument(help="Tagged titles: a token and its BIO tag a line, a blank line between titles."),
    ],
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    label: Annotated[
        list[str] | None,
        typer.Option(help="LABEL=attribute (LABEL= leaves it out), for labels that are no attribute's name."),
    ] = None,
    models: Annotated[
        str,
        typer.Option(help="What to compare, comma-separated: crf, ernie, minilm, e5; default by language."),
    ] = "",
    minutes: Annotated[float, typer.Option(help="Time for choosing and training.", min=0.05)] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
) -> None:
    """Train a tagger and keep it among the shop's artifacts.

    Use it with `storewise attributes --tagger NAME`, or `tagger = "NAME"` under [attributes] of a pipeline file.
    """
    from storewise.core.errors import ConfigError
    from storewise.core.progress import Bars
    from storewise.data.stores import Store
    from storewise.engine.tagger import train_tagger

    names: dict[str, str] = {}
    for one in label or ():
        key, equals, value = one.partition("=")
        if not equals:
            raise ConfigError(
                f"--label {one!r} is not LABEL=attribute.", next_step="Write --label PROD=type."
            )
        names[key] = value.strip()
    bars = Bars()
    with Store.open(shop, create=False) as store:
        folder = store.folder
    wanted = [part.strip() for part in models.split(",") if part.strip()] or None
    name, facts = train_tagger(
        folder, file, names=names, models=wanted, total_s=60 * minutes, seed=seed, progress=bars
    )
    bars.note(str(facts["reason"]))
    for one, attribute in facts["attributes"].items():
        bars.note(f"{one} is read as {attribute}" if attribute else f"{one} is left out")
    print(name)
    bars.note(f"Use it with: storewise attributes --shop {shop} --tagger {name}")
