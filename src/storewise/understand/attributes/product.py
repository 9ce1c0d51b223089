"""What the extraction reads of a product, and what the shop says of it already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from storewise.understand.attributes.names import known_name

FIELDS = ("title", "description")


@dataclass(frozen=True)
class Product:
    """Texts to read, and ``given``: attribute name → values in the shop's own words."""

    title: str
    description: str = ""
    category: str | None = None
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """Identifies everything that the extraction reads of the product."""
        told = [self.title, self.description, self.category, {k: list(v) for k, v in self.given.items()}]
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def texts(self) -> Iterator[tuple[str, str]]:
        """Field and text, empty ones left out."""
        for name in FIELDS:
            if text := getattr(self, name):
                yield name, text


def of_frame(products: pl.DataFrame) -> list[Product]:
    """Products of a shop's table; a missing column is empty, attributes that are no JSON object are none.

    >>> of_frame(pl.DataFrame({"product_id": ["a"], "title": ["Lamp"], "attributes": ['{"Color": "red"}']}))[0].given
    {'colour': ('red',)}
    """
    names = ["title", "description", "category", "brand", "attributes"]
    table = products.select(
        (pl.col(n) if n in products.columns else pl.lit(None)).cast(pl.String).alias(n) for n in names
    )
    return [
        Product(title or "", description or "", category, given_values(brand, attributes))
        for title, description, category, brand, attributes in table.iter_rows()
    ]


def given_values(brand: str | None, attributes: str | None) -> dict[str, tuple[str, ...]]:
    """The brand column and the JSON object of attributes, under our names where we have one."""
    try:
        told: Any = orjson.loads(attributes) if attributes else {}
    except orjson.JSONDecodeError:
        told = {}
    found: dict[str, tuple[str, ...]] = {}
    for key, value in told.items() if isinstance(told, dict) else ():
        name = known_name(key)
        if name is None:  # of no kind that is extracted: it stays with the shop's own attributes
            continue
        values = tuple(
            str(v)
            for v in (value if isinstance(value, list) else [value])
            if isinstance(v, (str, int, float))
        )
        if values := tuple(v for v in values if v.strip()):
            found[name] = values
    if brand and brand.strip():
        found["brand"] = (brand,)
    return found
