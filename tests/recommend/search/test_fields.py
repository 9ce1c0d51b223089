"""Fields of a product table, found by name and by content."""

from __future__ import annotations

import pytest

from storewise.core.errors import DataError
from storewise.recommend.search.fields import field_of, id_column, sample_columns, text_fields


def test_columns_find_their_field() -> None:
    rows = [
        {
            "docid": "1", "title": "Lamp", "name": "L1", "short_description": "A lamp", "supplier": "Ikea", "price": 3.5,
            "attr_t_product_type": "Desk lamp", "attr_t_product_colour": "Red", "attr_n_power": 40.0, "attr_b_led": True,
            "attr_b_dimmable": False, "img": "http://x/y.jpg", "released": "2009-12-10T00:00:00Z", "ean": ["0095205603217"],
            "story": "one two three four five six seven eight nine ten", "rating": 4.5,
        }
    ]  # fmt: skip
    fields = text_fields(rows)
    assert {name: texts[0] for name, texts in fields.items()} == {
        "title": "Lamp", "name": "L1", "description": "A lamp one two three four five six seven eight nine ten",
        "category": "Desk lamp", "brand": "Ikea", "attributes": "Red", "features": "power 40 led",
        "id": "1 0095205603217",
    }  # fmt: skip


def test_missing_cells_and_nested_values_are_normal() -> None:
    rows = [{"id": 1, "title": None}, {"id": 2, "title": "x", "more": {"a": ["b", None, float("nan")]}}]
    assert text_fields(rows) == {"title": ["", "x"], "attributes": ["", "b"], "id": ["1", "2"]}


def test_every_searched_column_of_text_reaches_its_field() -> None:
    rows = [
        {
            "sku": "1",
            "productDisplayName": "Shirt",
            "masterCategory": "Apparel",
            "season": "Fall",
            "year": "2011",
        }
    ]
    found = field_of(sample_columns(rows))
    assert found == {"sku": "id", "productDisplayName": "title", "masterCategory": "category", "season": "attributes",
                     "year": "features"}  # fmt: skip


def test_a_table_without_ids_or_rows_is_refused() -> None:
    with pytest.raises(DataError, match="No column holds a product id"):
        id_column(["name"])
    with pytest.raises(DataError, match="no products"):
        text_fields([])
