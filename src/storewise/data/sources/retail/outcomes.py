"""What becomes of each invoice line: kept, repaired, set aside or rejected, and why. Exactly one of them.

``RULES`` read the columns of ``read_lines``, and twice (bool), product_id, purpose (null for products), match (null
for anything but cancelled lines).
"""

from __future__ import annotations

import polars as pl

from storewise.data.sources.retail import codes, returns
from storewise.data.sources.sift import Rule

LARGEST = 2**31 - 1  # units on one line, as far as the events table can hold them

_code = pl.col("code")
_quantity = pl.col("quantity")
_price = pl.col("price")
_known = pl.col("customer_id").is_not_null()
_cancelled = pl.col("invoice").str.starts_with("C")
# Whole pence? Prices are floats in the source: 2.55 * 100 is not quite 255.
_in_pence = ((_price * 100).round() - _price * 100).abs() < 1e-6


def _unreadable() -> list[Rule]:
    missing = pl.any_horizontal(pl.col("invoice", "code", "at").is_null())
    no_number = pl.any_horizontal(pl.col("quantity", "price").is_null()) | ~_price.is_finite()
    bounds = (_quantity == 0) | (_quantity.abs() > LARGEST)
    return [
        Rule("rejected", "invoice, code or time is missing, unreadable or does not exist", missing),
        Rule("rejected", "quantity or price is missing or no number", no_number),
        Rule("rejected", f"quantity is 0 or beyond {LARGEST}", bounds),
    ]


def _no_trade() -> list[Rule]:
    """Lines that are no sale and no return of a product."""
    free = _price == 0
    return [
        Rule("set aside", "delivered twice: the sheets overlap", pl.col("twice")),
        *(Rule("set aside", f"no product: {p}", pl.col("purpose") == p) for p in codes.PURPOSES),
        Rule("set aside", "negative price", _price < 0),
        Rule("set aside", "negative quantity without a price: stock written off", free & (_quantity < 0)),
        Rule("set aside", "no price, known customer: given free (sample, gift, replacement)", free & _known),
        Rule("set aside", "no price, no customer: stock found or corrected", free),
        Rule("set aside", "negative quantity outside a cancellation", (_quantity < 0) & ~_cancelled),
        Rule("set aside", "positive quantity on a cancellation", (_quantity > 0) & _cancelled),
    ]


def _trade() -> list[Rule]:
    match = pl.col("match")
    spelling = _code != pl.col("product_id")
    return [
        Rule("set aside", "cancelled, but no earlier purchase is in the data", match == returns.NONE),
        Rule("set aside", "cancelled without a customer: no purchase to match", match == returns.ANONYMOUS),
        Rule("repaired", "return cut to the units bought before", match == returns.PART),
        Rule("repaired", "code in its usual spelling", spelling),
        Rule("repaired", "price rounded to whole pence", ~_in_pence),
        Rule("kept", "return, matched to one purchase", match == returns.WHOLE),
        Rule("kept", "return, matched to several purchases", match == returns.SPREAD),
        Rule("kept", "sold to a known customer", _known),
        Rule("kept", "sold without a customer: anonymous session of the invoice", ~_known),
    ]


BEFORE_MATCHING = (*_unreadable(), *_no_trade())
RULES = (*BEFORE_MATCHING, *_trade())


def is_trade() -> pl.Expr:
    """Lines that no rule before the matching of returns takes out: sales and cancellations of products."""
    return ~pl.any_horizontal(rule.condition.fill_null(False) for rule in BEFORE_MATCHING)
