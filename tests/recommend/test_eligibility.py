from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storewise.engine.serving.catalogue import Catalogue
from storewise.recommend.eligibility import Eligibility, Filters

ROWS = [
    {"product_id": "a", "title": "A", "category": "x", "price_minor": 100, "attributes": '{"Colour": ["Red", "blue"]}', "active": True},
    {"product_id": "b", "title": "B", "category": "y", "price_minor": None, "attributes": '{"colour": "red"}', "active": True},
    {"product_id": "c", "title": "C", "category": None, "price_minor": 300, "attributes": None, "active": False},
    {"product_id": "d", "title": "D", "category": "x", "price_minor": 200, "attributes": "not json", "active": None},
]  # fmt: skip
STOCK = {"a": 0, "b": 5}
SHELF = Catalogue.of(
    pl.DataFrame(ROWS), pl.DataFrame({"product_id": list(STOCK), "on_hand": list(STOCK.values())})
)


def naive(row: dict[str, object], filters: Filters, hide: bool) -> bool:
    price, left = row["price_minor"], STOCK.get(str(row["product_id"]))
    colours = {"a": {"red", "blue"}, "b": {"red"}}.get(str(row["product_id"]), set())
    return (
        row["active"] is not False
        and not (hide and left is not None and left <= 0)
        and not (filters.in_stock and not (left is not None and left > 0))
        and (not filters.categories or row["category"] in filters.categories)
        and (filters.price_min is None or (isinstance(price, int) and price >= filters.price_min))
        and (filters.price_max is None or (isinstance(price, int) and price <= filters.price_max))
        and all(name.lower() == "colour" and value.lower() in colours for name, value in filters.attributes)
    )


@given(
    filters=st.builds(
        Filters,
        categories=st.sampled_from([(), ("x",), ("y", "x"), ("none",)]),
        price_min=st.sampled_from([None, 0, 100, 150]),
        price_max=st.sampled_from([None, 100, 250]),
        attributes=st.sampled_from(
            [(), (("colour", "RED"),), (("Colour", "blue"), ("colour", "red")), (("size", "1"),)]
        ),
        in_stock=st.booleans(),
    ),
    hide=st.booleans(),
)
def test_a_mask_says_what_the_rules_say(filters: Filters, hide: bool) -> None:
    found = Eligibility(SHELF, hide_out_of_stock=hide).mask(filters)
    assert found.tolist() == [naive(row, filters, hide) for row in ROWS]


def test_masks_are_shared_and_cannot_be_written() -> None:
    rules = Eligibility(SHELF, remember=2)
    first = rules.mask(Filters())
    assert rules.mask(Filters()) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = True
    for low in range(3):
        rules.mask(Filters(price_min=low))
    again = rules.mask(Filters())
    assert again is not first  # only the last ones are remembered
    assert np.array_equal(again, first)
