"""Cancelled lines matched to the purchases they take back."""

from __future__ import annotations

from collections import defaultdict

import polars as pl

WHOLE = "one purchase"
SPREAD = "several purchases"
PART = "part"
NONE = "no purchase"
ANONYMOUS = "no customer"
_SCHEMA = {"position": pl.UInt32, "returned": pl.Int64, "match": pl.String}


def match_returns(lines: pl.DataFrame) -> pl.DataFrame:
    """Match every cancelled line to earlier purchases of the same product by the same customer.

    A cancelled line takes the latest earlier purchase that still has enough units; when none has, it takes
    what is left of the latest ones, one after the other. Nothing is returned twice, so the returned units of
    a customer and product never exceed the bought ones at any time.

    Args:
        lines: position, customer_id (may be null), product_id, at, quantity (> 0 bought, < 0 cancelled).

    Returns:
        One row for each cancelled line: position, returned (units matched, >= 0), match (one of the constants
        of this module).

    >>> lines = pl.DataFrame({"position": [0, 1, 2], "customer_id": ["7"] * 3, "product_id": ["A"] * 3,
    ...                       "at": [1, 2, 3], "quantity": [5, 2, -6]})
    >>> match_returns(lines).rows()
    [(2, 6, 'several purchases')]
    """
    pair = ("customer_id", "product_id")
    cancelled = lines.filter(pl.col("quantity") < 0)
    pairs = cancelled.drop_nulls("customer_id").select(pair).unique().with_row_index("pair")
    # Only pairs with a cancellation matter: a few percent of all lines.
    together = lines.join(pairs, on=pair).sort("pair", "at", "position")
    matches = _allocate(together.select("pair", "position", "quantity"))
    anonymous = cancelled.filter(pl.col("customer_id").is_null())
    unmatched = anonymous.select("position", returned=pl.lit(0), match=pl.lit(ANONYMOUS))
    return pl.concat([matches, unmatched.cast(pl.Schema(_SCHEMA))])


def _allocate(lines: pl.DataFrame) -> pl.DataFrame:
    """Go through the lines of the affected pairs in time order. Each allocation depends on the one before,
    so this is a loop; it sees only pairs with a cancellation."""
    left: dict[int, list[int]] = defaultdict(list)  # units left of each purchase, oldest first
    matches: list[tuple[int, int, str]] = []
    for pair, position, quantity in lines.iter_rows():
        if quantity > 0:
            left[pair].append(quantity)
            continue
        taken = _take(left[pair], -quantity)
        returned = sum(taken)
        kind = PART if 0 < returned < -quantity else SPREAD if len(taken) > 1 else WHOLE if taken else NONE
        matches.append((position, returned, kind))
    return pl.DataFrame(matches, schema=_SCHEMA, orient="row")


def _take(left: list[int], wanted: int) -> list[int]:
    """Take ``wanted`` units from the purchases of one pair, changing ``left``; the units of each one used."""
    for index in range(len(left) - 1, -1, -1):
        if left[index] >= wanted:
            left[index] -= wanted
            return [wanted]
    taken = []
    while left and wanted:
        units = min(left[-1], wanted)
        left[-1] -= units
        wanted -= units
        if units:
            taken.append(units)
        if not left[-1]:
            left.pop()
    return taken
