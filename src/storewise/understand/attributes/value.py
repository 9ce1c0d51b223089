"""An attribute value with where it stands and how sure the extraction is: what every method gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from storewise.core.errors import DataError

Method = Literal["given", "tagger", "shop", "rule", "gazetteer", "llm", "predicted"]
METHODS: tuple[Method, ...] = get_args(Method)

WORDS = ("brand", "type", "colour", "material", "audience", "pattern", "size")
MEASURES = (
    "quantity", "weight", "volume", "length", "dimensions", "power", "voltage", "current", "storage",
    "charge", "frequency", "resolution", "age",
)  # fmt: skip
NAMES = (*WORDS, *MEASURES)
"""Names that the built-in methods give; given attributes and taggers may bring others."""

SCHEMA = {
    "product_id": pl.String,
    "name": pl.String,
    "value": pl.String,
    "unit": pl.String,
    "raw": pl.String,
    "field": pl.String,
    "start": pl.Int32,
    "end": pl.Int32,
    "confidence": pl.Float32,
    "method": pl.String,
}


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """One value of one attribute.

    ``value`` is canonical text ("red", "3000"), ``unit`` the canonical unit of a measure. ``field`` is the
    product's field that ``raw`` stands in, as ``text[start:end]``; a value that stands nowhere (given, or
    concluded by a model) has ``start == end == -1``. ``source`` names the rule or list, for calibration.

    >>> AttributeValue("volume", "3000", "ml", "3升", "title", 4, 6, 0.95, "rule").text
    '3000 ml'
    """

    name: str
    value: str
    unit: str | None
    raw: str
    field: str
    start: int
    end: int
    confidence: float
    method: Method
    source: str = ""

    @property
    def text(self) -> str:
        """The value with its unit, as filters spell it."""
        return f"{self.value} {self.unit}" if self.unit else self.value

    @property
    def placed(self) -> bool:
        """True when it has a span."""
        return self.end > self.start >= 0

    def overlaps(self, other: AttributeValue) -> bool:
        """True when both have spans in the same field that share a character."""
        return (
            self.field == other.field
            and self.placed
            and other.placed
            and self.start < other.end
            and other.start < self.end
        )


def to_frame(ids: Sequence[str], values: Sequence[Sequence[AttributeValue]]) -> pl.DataFrame:
    """The values of products as the table that artifacts keep (``SCHEMA``)."""
    rows = [
        (product, v.name, v.value, v.unit, v.raw, v.field, v.start, v.end, v.confidence, v.method)
        for product, found in zip(ids, values, strict=True)
        for v in found
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def from_frame(table: pl.DataFrame) -> dict[str, list[AttributeValue]]:
    """Values by product from the table.

    Raises:
        DataError: when it lacks a column.
    """
    if missing := [name for name in SCHEMA if name not in table.columns]:
        raise DataError(
            f"The table of attributes lacks {missing[0]!r}.", next_step="Extract again: storewise attributes."
        )
    found: dict[str, list[AttributeValue]] = {}
    for product, *rest in table.select(list(SCHEMA)).iter_rows():
        found.setdefault(product, []).append(AttributeValue(*rest))
    return found
