"""The catalogue as served: what a list shows of a product, and what the filters ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from storewise.understand.attributes.value import AttributeValue

COLUMNS = {
    "product_id": pl.String,
    "title": pl.String,
    "description": pl.String,
    "category": pl.String,
    "brand": pl.String,
    "price_minor": pl.Int64,
    "currency": pl.String,
    "image": pl.String,
    "attributes": pl.String,
    "active": pl.Boolean,
}


FILTER_CONFIDENCE = 0.5  # of an extracted value that filters may rely on


@dataclass(frozen=True)
class Catalogue:
    """Products in the order of their index, their latest stock (nothing known: no key), and the attributes that were
    extracted of each product id.

    >>> shop = Catalogue.of(pl.DataFrame({"product_id": ["a"], "title": ["Lamp"]}))
    >>> shop.payload(0)["title"]
    'Lamp'
    """

    frame: pl.DataFrame
    on_hand: dict[int, int]
    extracted: Mapping[str, Sequence[AttributeValue]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        products: pl.DataFrame,
        stock: pl.DataFrame | None = None,
        extracted: Mapping[str, Sequence[AttributeValue]] | None = None,
    ) -> Catalogue:
        """From any frame with ``product_id``; missing columns are null. ``stock``: product_id, on_hand."""
        frame = products.select(
            (pl.col(name) if name in products.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in COLUMNS.items()
        ).with_columns(pl.col("title").fill_null(pl.col("product_id")), pl.col("active").fill_null(True))
        catalogue = cls(frame, {}, extracted or {})
        if stock is not None:
            known = catalogue.index
            pairs = zip(stock["product_id"].to_list(), stock["on_hand"].to_list(), strict=True)
            catalogue.on_hand.update((known[p], int(left)) for p, left in pairs if p in known)
        return catalogue

    def refreshed(self, products: pl.DataFrame, stock: pl.DataFrame | None = None) -> Catalogue:
        """The same products in the same order with today's facts; one that the shop has dropped is inactive."""
        today = Catalogue.of(products).frame
        ours = self.frame.select("product_id", old_title="title")
        joined = ours.join(today, on="product_id", how="left", maintain_order="left")
        joined = joined.with_columns(
            pl.col("title").fill_null(pl.col("old_title")), pl.col("active").fill_null(False)
        )
        return Catalogue.of(joined, stock, self.extracted)

    def __len__(self) -> int:
        return self.frame.height

    @cached_property
    def ids(self) -> list[str]:
        return self.frame["product_id"].to_list()

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.ids)}

    @cached_property
    def titles(self) -> list[str]:
        return self.frame["title"].to_list()

    @cached_property
    def active(self) -> npt.NDArray[np.bool_]:
        return self.frame["active"].to_numpy().astype(bool)

    @cached_property
    def in_stock(self) -> npt.NDArray[np.bool_]:
        """True where the stock is known and positive."""
        mask = np.zeros(len(self), bool)
        mask[[i for i, left in self.on_hand.items() if left > 0]] = True
        return mask

    @cached_property
    def sold_out(self) -> npt.NDArray[np.bool_]:
        """True where the stock is known to be used up."""
        mask = np.zeros(len(self), bool)
        mask[[i for i, left in self.on_hand.items() if left <= 0]] = True
        return mask

    @cached_property
    def prices(self) -> npt.NDArray[np.int64]:
        """Minor units, -1 where unknown."""
        return self.frame["price_minor"].fill_null(-1).to_numpy().astype(np.int64)

    @cached_property
    def currency(self) -> str | None:
        """The currency of the prices, None when no product has one."""
        found = self.frame["currency"].drop_nulls()
        return str(found[0]) if len(found) else None

    @cached_property
    def categories(self) -> list[str | None]:
        return self.frame["category"].to_list()

    @cached_property
    def category_names(self) -> list[str]:
        return sorted({c for c in self.categories if c is not None})

    @cached_property
    def category_codes(self) -> npt.NDArray[np.int32]:
        """Position in ``category_names``, -1 for none."""
        code = {name: i for i, name in enumerate(self.category_names)}
        return np.array([code[c] if c is not None else -1 for c in self.categories], np.int32)

    @cached_property
    def _shown(self) -> list[dict[str, Any]]:
        names = ["product_id", "title", "category", "brand", "price_minor", "currency", "image"]
        return self.frame.select(names).to_dicts()

    def payload(self, product: int) -> dict[str, Any]:
        """What a list shows of a product (a new dict)."""
        return {**self._shown[product], "on_hand": self.on_hand.get(product)}

    def details(self, product: int) -> dict[str, Any]:
        """What the product's own page shows."""
        row = self.frame.row(product, named=True)
        return {
            **self.payload(product),
            "active": row["active"],
            "description": row["description"],
            "attributes": self.attributes(product),
            "extracted": self.extracted_of(product),
        }

    def extracted_of(self, product: int) -> list[dict[str, Any]]:
        """Extracted values with their spans; a span is null where the value stands in no text, or in one that has
        changed since."""
        row = self.frame.row(product, named=True)
        found = []
        for one in self.extracted.get(row["product_id"], ()):
            text = row.get(one.field) or ""
            there = one.placed and text[one.start : one.end] == one.raw
            found.append(
                {
                    "name": one.name,
                    "value": one.value,
                    "unit": one.unit,
                    "raw": one.raw,
                    "field": one.field,
                    "start": one.start if there else None,
                    "end": one.end if there else None,
                    "confidence": round(one.confidence, 3),
                    "method": one.method,
                }
            )
        return found

    def attributes(self, product: int) -> dict[str, Any]:
        """The attributes as an object; text that is not a JSON object gives an empty one."""
        text = self.frame["attributes"][product]
        try:
            found = orjson.loads(text) if text else {}
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def attribute_index(self) -> dict[tuple[str, str], npt.NDArray[np.int32]]:
        """Products of each (name, value), both in lower case; a list attribute counts for each value. Extracted
        values count where the confidence is at least ``FILTER_CONFIDENCE``, measures with their unit."""
        found: dict[tuple[str, str], list[int]] = {}
        for product in self.frame["attributes"].is_not_null().arg_true().to_list():
            for name, value in self.attributes(product).items():
                for one in value if isinstance(value, list) else [value]:
                    found.setdefault((name.lower(), str(one).lower()), []).append(product)
        for product_id, values in self.extracted.items():
            if (index := self.index.get(product_id)) is not None:
                for value in values:
                    if value.confidence >= FILTER_CONFIDENCE:
                        found.setdefault((value.name, value.text.lower()), []).append(index)
        return {key: np.unique(np.array(products, np.int32)) for key, products in found.items()}

    def search(self, words: Sequence[str], n: int, weight: npt.NDArray[np.float64]) -> tuple[list[int], int]:
        """Products whose title or id holds every word, titles that begin with the first word first, then
        by falling ``weight`` (n_products,); with the number of all that match."""
        if not words:
            match = self.active.copy()
            starts = np.zeros(len(self), bool)
        else:
            text = self._search_text
            test = pl.all_horizontal(pl.col("text").str.contains(w.lower(), literal=True) for w in words)
            match = text.select(test).to_series().to_numpy()
            starts = text.select(pl.col("text").str.starts_with(words[0].lower())).to_series().to_numpy()
        found = np.flatnonzero(match)
        order = np.lexsort((found, -weight[found], ~starts[found]))[:n]
        return found[order].tolist(), len(found)

    @cached_property
    def _search_text(self) -> pl.DataFrame:
        return self.frame.select(
            text=pl.concat_str(["title", "product_id"], separator=" ").str.to_lowercase()
        )
