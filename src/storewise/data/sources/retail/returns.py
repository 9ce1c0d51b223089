"""Cancelled lines matched to the purchases they take back."""

from __future__ import annotations

from collections import defaultdict

import polars as pl

WHOLE = "one purchase"
SPREAD = "several purchases"
PART = "part"
NONE = "no purchase"
ANONYMOUS = "no customer"
MATCH_SCHEMA = {"position": pl.UInt32, "returned": pl.Int64, "match": pl.String}
LINK_SCHEMA = {"position": pl.UInt32, "purchase": pl.UInt32, "quantity": pl.Int64}


def match_returns(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Match every cancelled line to earlier purchases of the same product by the same customer.

    A cancelled line takes the latest earlier purchase that still has enough units; when none has, it takes
    what is left of the latest ones, one after the other. Nothing is returned twice, so the returned units of
    a customer and product never exceed the bought ones at any time.

    Args:
        lines: position, customer_id (may be null), product_id, at, quantity (> 0 bought, < 0 cancelled).

    Returns:
        One row for each cancelled line: position, returned (units matched, >= 0), match (one of the constants
        of this module); and the links: position (of the cancelled line), purchase (position), quantity.

    >>> lines = pl.DataFrame({"position": [0, 1, 2], "customer_id": ["7"] * 3, "product_id": ["A"] * 3,
    ...                       "at": [1, 2, 3], "quantity": [5, 2, -6]})
    >>> matches, links = match_returns(lines)
    >>> matches.rows(), links.select("purchase", "quantity").rows()
    ([(2, 6, 'several purchases')], [(1, 2), (0, 4)])
    """
    cancelled = lines.filter(pl.col("quantity") < 0)
    known = cancelled.drop_nulls("customer_id")
    pairs = known.select("customer_id", "product_id").unique().with_row_index("pair")
    # Only pairs with a cancellation matter: a few percent of all lines.
    together = lines.select("position", "customer_id", "product_id", "at", "quantity").join(
        pairs, on=["customer_id", "product_id"]
    )
    together = together.sort("pair", "at", "position").select("pair", "position", "quantity")
    matches, links = _allocate(together)
    anonymous = cancelled.filter(pl.col("customer_id").is_null())
    unmatched = anonymous.select("position", returned=pl.lit(0, pl.Int64), match=pl.lit(ANONYMOUS))
    return pl.concat([matches, unmatched.cast(pl.Schema(MATCH_SCHEMA))]), links


def _allocate(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Go through the lines of the affected pairs in time order. Each allocation depends on the one before,
    so this is a loop; it sees only pairs with a cancellation."""
    left: dict[int, list[tuple[int, int]]] = defaultdict(
        list
    )  # (purchase position, units left), oldest first
    matches: list[tuple[int, int, str]] = []
    links: list[tuple[int, int, int]] = []
    for pair, position, quantity in lines.iter_rows():
        if quantity > 0:
            left[pair].append((position, quantity))
            continue
        taken = _take(left[pair], -quantity)
        links += [(position, purchase, units) for purchase, units in taken]
        returned = sum(units for _, units in taken)
        kind = PART if 0 < returned < -quantity else SPREAD if len(taken) > 1 else WHOLE if taken else NONE
        matches.append((position, returned, kind))
    return (
        pl.DataFrame(matches, schema=MATCH_SCHEMA, orient="row"),
        pl.DataFrame(links, schema=LINK_SCHEMA, orient="row"),
    )


def _take(left: list[tuple[int, int]], wanted: int) -> list[tuple[int, int]]:
    """Take ``wanted`` units from the purchases of one pair, changing ``left``."""
    for index in range(len(left) - 1, -1, -1):
        purchase, units = left[index]
        if units >= wanted:
            left[index] = (purchase, units - wanted)
            return [(purchase, wanted)]
    taken = []
    while left and wanted:
        purchase, units = left.pop()
        part = min(units, wanted)
        if part:
            taken.append((purchase, part))
        if units > part:
            left.append((purchase, units - part))
        wanted -= part
    return taken
