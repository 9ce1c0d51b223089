"""Which columns of a product table are searched, and as which field: found by name and by what stands in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storewise.core.errors import DataError

Row = Mapping[str, Any]
IDS = ("product_id", "id", "docid", "doc_id", "item_id", "sku")
TITLES = ("title", "product_title", "product_name", "productdisplayname", "product_display_name", "name")
BRANDS = frozenset({"brand", "brand_name", "supplier", "manufacturer", "vendor", "product_brand"})
TYPES = frozenset({"type", "product_type", "product_class", "article_type", "articletype", "department"})
LONG_TEXTS = ("description", "summary", "bullet", "about")
NOT_SEARCHED = re.compile(
    r"price|cost|rating|review|score|stock|date|time|image|img|photo|picture|url|link|thumb"
)
_PREFIX = re.compile(r"^(?:attr|attribute)s?_(?:[a-z]_)?")
_URL = re.compile(r"^(?:https?:)?//|\.(?:jpe?g|png|gif|webp)$", re.IGNORECASE)
_DATE = re.compile(r"^\d{4}-\d\d-\d\d([T ]|$)")
SAMPLE = 500  # values of a column that decide
LONG_WORDS = 8.0  # words of the average value of a description
CODE_DIGITS = 6


def id_column(columns: Iterable[str]) -> str:
    """The column with the product's id.

    Raises:
        DataError: when no column has one of the known names.

    >>> id_column(["title", "docid"])
    'docid'
    """
    by_name = {name.lower(): name for name in columns}
    for name in IDS:
        if name in by_name:
            return by_name[name]
    known = ", ".join(IDS)
    raise DataError(f"No column holds a product id (found: {', '.join(list(by_name)[:10])}).",
                    next_step=f"Name it one of {known}.")  # fmt: skip


def field_of(columns: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Column → field, for columns given with some of their values; columns that are not searched are left out.

    Fields: ``title`` (one column), ``name`` (further titles), ``description``, ``brand``, ``category``, ``attributes``
    (other text), ``features`` (numbers and yes/no: their column's name is text too), ``id`` (ids and long codes).

    >>> field_of({"id": ["a1"], "name": ["Lamp"], "supplier": ["Ikea"], "price": [4.5], "attr_b_led": [True]})
    {'id': 'id', 'name': 'title', 'supplier': 'brand', 'attr_b_led': 'features'}
    """
    key = id_column(columns)
    named = {name.lower(): name for name in columns}
    title = next((named[t] for t in TITLES if t in named), None)
    found = {}
    for name, values in columns.items():
        field = "id" if name == key else "title" if name == title else _field(name.lower(), values[:SAMPLE])
        if field is not None:
            found[name] = field
    return found


def _field(name: str, values: Sequence[Any]) -> str | None:
    plain = _PREFIX.sub("", name)
    texts = [text for value in values for text in _texts(value)]
    if not texts or (plain == name and NOT_SEARCHED.search(name)):
        return None
    if name in TITLES:
        return "name"
    if sum(bool(_URL.search(t) or _DATE.search(t)) for t in texts) > len(texts) / 2:
        return None
    if plain in BRANDS:
        return "brand"
    if plain in TYPES or "categor" in plain:
        return "category"
    if any(part in plain for part in LONG_TEXTS):
        return "description"
    if all(t.isdigit() and len(t) >= CODE_DIGITS for t in texts):
        return "id"
    if all(_is_number(t) for t in texts):
        return "features"
    words = sum(len(t.split()) for t in texts) / len(texts)
    return "description" if words >= LONG_WORDS and plain == name else "attributes"


def text_fields(rows: Sequence[Row], columns: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """Field → one text for each row. ``columns``: see :func:`field_of`; None finds it.

    Raises:
        DataError: without rows or without an id column.

    >>> rows = [{"id": "a1", "title": "Lamp", "attr_n_power_w": 40.0, "attr_b_led": True, "tags": ["night", "desk"]}]
    >>> fields = text_fields(rows)
    >>> fields["features"], fields["attributes"]
    (['power w 40 led'], ['night desk'])
    """
    if not rows:
        raise DataError("The catalogue has no products.", next_step="Give at least one.")
    chosen = columns if columns is not None else field_of(sample_columns(rows))
    order = ("title", "name", "description", "category", "brand", "attributes", "features", "id")
    used = [field for field in order if field in chosen.values()]
    found: dict[str, list[str]] = {field: [] for field in used}
    for row in rows:
        parts: dict[str, list[str]] = {field: [] for field in used}
        for name, value in row.items():
            if field := chosen.get(name):
                parts[field] += _named(name, value) if field == "features" else _texts(value)
        for field in used:
            found[field].append(" ".join(parts[field]))
    return found


def sample_columns(rows: Iterable[Row]) -> dict[str, list[Any]]:
    """Column → its first values that are not empty, in the order in which columns appear."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            known = found.setdefault(name, [])
            if len(known) < SAMPLE and value is not None and value != "":
                known.append(value)
    return found


def _named(name: str, value: Any) -> list[str]:
    """A number or a yes with the name of what it tells; a no is not worth finding."""
    plain = _PREFIX.sub("", name.lower()).replace("_", " ")
    texts = [text for text in _texts(value) if text.lower() not in ("false", "no", "n", "0")]
    if not texts:
        return []
    return [plain, *(t for t in texts if t.lower() not in ("true", "yes", "y"))]


def _texts(value: Any) -> list[str]:
    """A value as texts: lists and objects give one for each part, 17.0 is "17", nothing gives none."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list | tuple | set):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, float):
        return [f"{value:g}"] if math.isfinite(value) else []
    return [str(value)]


def _is_number(text: str) -> bool:
    if text.lower() in ("true", "false", "yes", "no"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
