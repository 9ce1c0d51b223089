"""What the catalogue and the attribute table say of a product: brand, category, attribute values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl

from storewise.core.errors import DataError
from storewise.understand.graph.tables import EDGE_SCHEMA, NODE_SCHEMA

RELATION = {"brand": "has_brand", "category": "in_category", "attribute": "has_attribute"}
FACT_SCHEMA = {
    "product": pl.Int32,
    "kind": pl.String,
    "key": pl.String,
    "label": pl.String,
    "confidence": pl.Float64,
    "evidence": pl.String,
}


def attribute_key(name: str, value: Any) -> str:
    """The key of an attribute value's node, the same however it is written.

    >>> attribute_key("Colour", " Red "), attribute_key("size", 3.0)
    ('colour=red', 'size=3')
    """
    return f"{str(name).strip().casefold()}={plain(value).casefold()}"


def plain(value: Any) -> str:
    """A value as text; whole numbers without a point."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def fact_tables(
    products: pl.DataFrame, attributes: pl.DataFrame | None, min_confidence: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nodes (the products first) and edges of all facts.

    ``attributes``: product_id, name, value and, if there, unit, confidence, source, start, end (the span in
    the text). Values below ``min_confidence`` and rows of products that the catalogue lacks are left out; of a
    value that several sources give, the most confident stands.

    Raises:
        DataError: when the attribute table lacks a column.
    """
    facts = pl.DataFrame(
        list(_catalogue_facts(products)) + list(_extracted(products, attributes, min_confidence)),
        schema=FACT_SCHEMA,
        orient="row",
    )
    best = facts.sort("confidence", descending=True, maintain_order=True).unique(
        ["product", "kind", "key"], keep="first", maintain_order=True
    )
    values = best.sort(["kind", "key"]).unique(["kind", "key"], keep="first", maintain_order=True)
    titles = products["title"] if "title" in products.columns else products["product_id"]
    ours = pl.DataFrame(
        {
            "kind": pl.Series(["product"] * products.height, dtype=pl.String),
            "key": products["product_id"],
            "label": titles.fill_null(products["product_id"]),
        },
        schema=NODE_SCHEMA,
    )
    nodes = pl.concat([ours, values.select("kind", "key", "label")])
    ids = nodes.with_row_index("target").slice(products.height).select("kind", "key", "target")
    edges = best.join(ids, on=["kind", "key"], how="left", maintain_order="left").select(
        pl.col("product").alias("source"),
        pl.col("kind").replace_strict(RELATION, return_dtype=pl.String).alias("relation"),
        pl.col("target"),
        pl.col("confidence").alias("weight"),
        pl.lit(1).alias("support"),
        pl.col("evidence"),
    )
    return nodes, edges.cast(EDGE_SCHEMA).sort(["relation", "source", "target"])  # type: ignore[arg-type]


def _catalogue_facts(products: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    evidence = '{"source":"catalogue"}'
    for kind in ("brand", "category"):
        if kind in products.columns:
            for product, name in enumerate(products[kind].to_list()):
                if name is not None and name.strip():
                    yield product, kind, name.strip(), name.strip(), 1.0, evidence
    for product, name, value in catalogue_attributes(products):
        yield product, "attribute", *_attribute(name, value, None), 1.0, evidence


def catalogue_attributes(products: pl.DataFrame) -> Iterator[tuple[int, str, Any]]:
    """(product, name, value) of the JSON objects in the column ``attributes``; each value of a list by itself.

    >>> shop = pl.DataFrame({"product_id": ["a", "b"], "attributes": ['{"size": [1, 2]}', "not JSON"]})
    >>> list(catalogue_attributes(shop))
    [(0, 'size', 1), (0, 'size', 2)]
    """
    if "attributes" not in products.columns:
        return
    for product, text in enumerate(products["attributes"].to_list()):
        for name, value in _object(text).items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None and not isinstance(one, dict | list):
                    yield product, name, one


def _attribute(name: str, value: Any, unit: str | None) -> tuple[str, str]:
    label = f"{str(name).strip()}: {plain(value)}"
    return attribute_key(name, value), f"{label} {unit}" if unit else label


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _extracted(
    products: pl.DataFrame, attributes: pl.DataFrame | None, min_confidence: float
) -> Iterator[tuple[Any, ...]]:
    if attributes is None:
        return
    missing = [name for name in ("product_id", "name", "value") if name not in attributes.columns]
    if missing:
        raise DataError(
            f"The attribute table has no column {missing[0]!r}; it has {', '.join(attributes.columns)}.",
            next_step="Give product_id, name and value; unit, confidence, source, start and end if known.",
        )
    index = {name: i for i, name in enumerate(products["product_id"].to_list())}
    for row in attributes.iter_rows(named=True):
        confidence = row.get("confidence")
        confidence = 1.0 if confidence is None else float(confidence)
        product, value = index.get(row["product_id"]), row["value"]
        if (
            product is None
            or value is None
            or row["name"] is None
            or not confidence >= max(min_confidence, 1e-6)
        ):
            continue
        told = {key: row[key] for key in ("source", "start", "end", "unit") if row.get(key) is not None}
        key, label = _attribute(row["name"], value, row.get("unit"))
        text = orjson.dumps(told | {"confidence": round(confidence, 3)}).decode()
        yield product, "attribute", key, label, min(confidence, 1.0), text
