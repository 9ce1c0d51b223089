"""Which data sources there are, and loading one by its name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import cast

from storewise.core.errors import UnknownName
from storewise.core.progress import Progress, Silent
from storewise.data.schema import ShopTables

SOURCES = {
    "online-retail": "storewise.data.sources.online_retail:load",
    "movielens": "storewise.data.sources.movielens:load",
    "sequences": "storewise.data.sources.sequences:load",
    "lists": "storewise.data.sources.lists:load",
    "ta-feng": "storewise.data.sources.ta_feng:load",
    "complete-journey": "storewise.data.sources.complete_journey:load",
}
DEFAULT = "online-retail"


def load_source(name: str, path: Path | None = None, progress: Progress | None = None) -> ShopTables:
    """The shop's tables of the source called ``name``, read from ``path`` (None: the embedded data).

    Raises:
        UnknownName: no source has that name.
        DataError: the path cannot be used, or the source has no embedded data.

    >>> load_source("online retail")
    Traceback (most recent call last):
    storewise.core.errors.UnknownName: There is no data source 'online retail'. Did you mean 'online-retail'?
    """
    if name not in SOURCES:
        close = get_close_matches(name, SOURCES, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Choose one of {', '.join(sorted(SOURCES))}."
        raise UnknownName(f"There is no data source {name!r}.", next_step=hint)
    module, function = SOURCES[name].split(":")
    load = getattr(import_module(module), function)
    return cast(ShopTables, load(path, progress=progress or Silent()))
