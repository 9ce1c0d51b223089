"""Components by versioned name, such as ``retrieve.item_knn.v1``."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from storewise.core.component import Component
from storewise.core.config import parse
from storewise.core.errors import ConfigError, UnknownName

NAME = re.compile(r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.v[1-9][0-9]*$")
PLUGIN_GROUP = "storewise.components"


class Registry:
    """An immutable table from versioned names to component classes.

    Classes are given as ``"module:Class"`` and imported when first asked for, so that a name costs nothing
    until it is used. Plug-ins add names through the entry-point group ``storewise.components``.

    >>> registry = Registry({"retrieve.popular.v1": "storewise.recommend.retrieve.popular:Popular"})
    >>> list(registry)
    ['retrieve.popular.v1']
    """

    def __init__(self, *tables: Mapping[str, str], plugins: bool = False) -> None:
        self._table: dict[str, str] = {}
        found = {e.name: e.value for e in entry_points(group=PLUGIN_GROUP)} if plugins else {}
        for table in (*tables, found):
            for name, target in table.items():
                self._add(name, target)

    def _add(self, name: str, target: str) -> None:
        if not NAME.match(name):
            raise ConfigError(
                f"Component name {name!r} is not of the form role.name.vN.",
                next_step="Use lower case letters, digits and _, e.g. retrieve.item_knn.v1.",
            )
        if name in self._table:
            raise ConfigError(
                f"Component {name!r} is registered twice ({self._table[name]} and {target}).",
                next_step="Give the new one the next version number.",
            )
        self._table[name] = target

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._table))

    def __len__(self) -> int:
        return len(self._table)

    def names(self, role: str) -> list[str]:
        """All names of one role, e.g. ``names("retrieve")``."""
        return [name for name in self if name.startswith(f"{role}.")]

    def get(self, name: str) -> type[Component[Any]]:
        """The class behind a name.

        Raises:
            UnknownName: with the nearest known names.
        """
        if name not in self._table:
            near = difflib.get_close_matches(name, self._table, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(self)}."
            raise UnknownName(f"There is no component {name!r}.", next_step=hint)
        module, _, attribute = self._table[name].partition(":")
        found: type[Component[Any]] = getattr(importlib.import_module(module), attribute)
        return found

    def create(self, name: str, config: Mapping[str, Any] | None = None) -> Component[Any]:
        """A new, untrained component with its config parsed (unknown keys are errors)."""
        kind = self.get(name)
        return kind(parse(kind.Config, config or {}, where=name))
