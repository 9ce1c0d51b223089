"""Answers of a shop's labeller, kept beside the catalogue, and taken into the extraction of attributes.

The artifact ``labels-<digest>`` of a column holds the answers (``ANSWERS``): those of a person ("given") and those that
were sure enough ("predicted"). ``labels.json`` in the shop names the latest of each column. What the shop's own table
says of a product comes first, then what a person answered, and a prediction stands only while the product's text is
the one it was made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl

from storewise.core import artifact
from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError
from storewise.data.stores.vectors import content_hash
from storewise.engine.labelling.columns import attribute_name, read_column
from storewise.engine.published import ARTIFACTS, replace_file
from storewise.understand.attributes.product import Product
from storewise.understand.attributes.value import AttributeValue, Method

NAME = "labels"
POINTER = "labels.json"
ANSWERS = {
    "product_id": pl.String, "value": pl.String, "confidence": pl.Float32, "method": pl.String, "key": pl.String,
}  # fmt: skip
GIVEN: Method = "given"
PREDICTED: Method = "predicted"


def save(root: Path, found: Artifact) -> str:
    """Write the answers and make them the latest of their column; their folder's name."""
    name = artifact.write(found, root / ARTIFACTS).name
    column = attribute_name(str(found.facts["column"]))
    replace_file(root / POINTER, orjson.dumps({**_pointers(root), column: name}))
    return name


def latest(root: Path) -> dict[str, Artifact]:
    """The latest answers by column.

    Raises:
        ArtifactError: when they are missing or damaged: a person's answers are not dropped in silence.
    """
    return {column: artifact.read(root / ARTIFACTS / Path(n).name) for column, n in _pointers(root).items()}


def given_before(root: Path, column: str) -> dict[str, str]:
    """What a person has answered so far, by product."""
    name = _pointers(root).get(attribute_name(column))
    if name is None:
        return {}
    rows = artifact.read(root / ARTIFACTS / Path(name).name).tables["answers"].filter(method=GIVEN)
    return dict(rows.select("product_id", "value").iter_rows())


def text_keys(products: pl.DataFrame) -> list[str]:
    """(n,) what a prediction is made for; another text makes it void."""
    table = products.select(
        (pl.col(n) if n in products.columns else pl.lit(None)).cast(pl.String).alias(n)
        for n in ("title", "description")
    )
    return [content_hash(f"{title or ''}\n{description or ''}") for title, description in table.iter_rows()]


class KeptLabels:
    """The answers that hold for a shop's products as they are now."""

    def __init__(self, root: Path, products: pl.DataFrame) -> None:
        """
        Raises:
            ArtifactError: when answers are damaged.
        """
        self._given: dict[str, dict[str, str]] = {}
        self._predicted: dict[str, list[AttributeValue]] = {}
        columns = latest(root)
        ids = products["product_id"].to_list() if columns else []
        keys = dict(zip(ids, text_keys(products), strict=True)) if columns else {}
        for name, found in columns.items():
            said = dict(zip(ids, read_column(products, name).given, strict=True))
            for one, value, sure, method, key in found.tables["answers"].select(list(ANSWERS)).iter_rows():
                if said.get(one, True):  # the shop says it itself, or has the product no more
                    continue
                if method == GIVEN:
                    self._given.setdefault(one, {})[name] = value
                elif keys[one] == key:
                    self._predicted.setdefault(one, []).append(predicted(name, value, sure))

    def complete(self, product_id: str, product: Product) -> Product:
        """The product with what a person answered, as if the shop said so."""
        told = self._given.get(product_id, {})
        if not told:
            return product
        given = {name: (value,) for name, value in told.items() if name != "category"}
        return replace(
            product, category=product.category or told.get("category"), given={**given, **product.given}
        )

    def of(self, product_id: str) -> list[AttributeValue]:
        """Candidates of method "predicted"."""
        return self._predicted.get(product_id, [])

    def key(self, product_id: str) -> str:
        """The part of a cache key that tells the predictions."""
        found = self.of(product_id)
        return "-" + content_hash(repr(found))[:8] if found else ""


def predicted(name: str, value: str, sure: float) -> AttributeValue:
    """A value that a labeller concluded; it stands nowhere in the text."""
    return AttributeValue(name, value, None, "", "attributes", -1, -1, sure, PREDICTED)


def _pointers(root: Path) -> Mapping[str, str]:
    try:
        text = (root / POINTER).read_bytes()
    except FileNotFoundError:
        return {}
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ArtifactError(f"{root / POINTER} is not readable.", next_step="Restore it, or remove it to do without "
                            "the answers it names.") from error  # fmt: skip
    return {str(key): str(value) for key, value in dict(told).items()}
