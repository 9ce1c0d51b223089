"""One column of a shop's products, wherever it stands: in the table itself or among the attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from storewise.understand.attributes.canonical import canonical
from storewise.understand.attributes.names import known_name

PLAIN = ("category", "brand")


@dataclass(frozen=True)
class Column:
    """``given`` (n,): the shop says something; ``keys`` (n,): the one value it says, in one spelling, else None."""

    name: str
    given: Sequence[bool]
    keys: Sequence[str | None]
    spelled: Mapping[str, str]
    """The commonest spelling of each key."""

    @property
    def n_given(self) -> int:
        return sum(self.given)

    def name_of(self, key: str) -> str:
        return self.spelled.get(key, key)

    def answered(self, ids: Sequence[str], answers: Mapping[str, str]) -> Column:
        """The column with ``answers`` by product where the shop says nothing."""
        keys, given, spelled = list(self.keys), list(self.given), dict(self.spelled)
        for place, one in enumerate(ids):
            if not given[place] and (value := answers.get(one, "").strip()):
                keys[place], given[place] = _key(self.name, value), True
                spelled.setdefault(keys[place] or "", value)
        return Column(self.name, given, keys, spelled)


def attribute_name(column: str) -> str:
    """What the values of a column are called as attributes.

    >>> attribute_name("Color"), attribute_name("category")
    ('colour', 'category')
    """
    return known_name(column) or column.strip().lower()


def read_column(products: pl.DataFrame, column: str) -> Column:
    """The column of the table, or the attribute of that name.

    >>> table = pl.DataFrame({"product_id": ["a", "b"], "attributes": ['{"Color": "Red"}', None]})
    >>> read_column(table, "colour").keys
    ['red', None]
    """
    name = attribute_name(column)
    if name in PLAIN:
        cells = products[name].to_list() if name in products.columns else [None] * products.height
        values = [[str(cell)] if cell is not None and str(cell).strip() else [] for cell in cells]
    else:
        cells = (
            products["attributes"].to_list() if "attributes" in products.columns else [None] * products.height
        )
        values = [_values(cell, name) for cell in cells]
    spelled: dict[str, Counter[str]] = {}
    keys: list[str | None] = []
    for told in values:
        key = _key(name, told[0]) if len(told) == 1 else None
        keys.append(key)
        if key is not None:
            spelled.setdefault(key, Counter())[told[0].strip()] += 1
    commonest = {key: count.most_common(1)[0][0] for key, count in spelled.items()}
    return Column(name, [bool(told) for told in values], keys, commonest)


def _key(name: str, value: str) -> str:
    """One spelling: canonical for attributes, as it stands for a category."""
    if name == "category":
        return value.strip()
    told, unit = canonical(name, value)
    return f"{told} {unit}" if unit else told


def _values(cell: Any, name: str) -> list[str]:
    """The values of an attribute in a cell of JSON; none where it is no object."""
    try:
        told = orjson.loads(cell) if cell else {}
    except orjson.JSONDecodeError:
        return []
    found: list[str] = []
    for key, value in told.items() if isinstance(told, dict) else ():
        if attribute_name(str(key)) == name:
            found += [str(v) for v in (value if isinstance(value, list) else [value]) if v is not None]
    return [value for value in found if value.strip()]
