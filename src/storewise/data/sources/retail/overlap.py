"""Lines that were delivered twice because two exports of the shop overlap.

Online Retail II is two yearly sheets; both contain 2010-12-01 to 2010-12-09, line for line: 22,523 lines, the
same multiset on both sides. Equal lines anywhere else are left alone, because they are repeated lines of one
invoice: 3.2 % of the lines with quantity 1 have a twin, 0.4 % of those with quantity 12 (a scanner's habit,
not a copy's); only 1 in 7 twins follows its double directly; and in as many cases the same product stands on
one invoice with two different quantities or prices.
"""

from __future__ import annotations

import polars as pl

_SAME = ("invoice", "code", "description", "quantity", "at", "price", "customer_id", "country")
_JUMP = pl.duration(days=1)  # clocks and late entries move a line by minutes, a new sheet by days


def delivered_twice(lines: pl.DataFrame) -> pl.Series:
    """True for each line that repeats a line of an earlier sheet (boolean, one a line).

    A sheet begins where the time jumps back by more than a day. The k-th copy of a line within the later
    sheet repeats the k-th copy within the earlier one; copies beyond that are new.

    >>> from datetime import datetime
    >>> row = dict(invoice="1", code="22423", description="STAND", price=1.0, customer_id="7", country="UK")
    >>> days = [datetime(2010, 12, day) for day in (1, 1, 9, 1, 9, 9)]  # the second sheet starts at the 4th
    >>> delivered_twice(pl.DataFrame([row | {"quantity": 1, "at": day} for day in days])).to_list()
    [False, False, False, True, True, False]
    """
    sheet = (pl.col("at") < pl.col("at").shift() - _JUMP).fill_null(False).cum_sum()
    numbered = lines.select("at", sheet=sheet).with_row_index("position")
    if not lines.height or numbered["sheet"][-1] == 0:
        return pl.repeat(False, lines.height, eager=True).alias("twice")
    first_of_next = numbered.group_by("sheet").agg(pl.col("at").min(), last=pl.col("at").max()).sort("sheet")
    shared = [
        pl.col("at").is_between(later, earlier)
        for later, earlier in zip(first_of_next["at"][1:], first_of_next["last"][:-1], strict=True)
    ]
    candidates = lines.select(*_SAME).with_columns(numbered["position"], numbered["sheet"])
    candidates = candidates.filter(pl.any_horizontal(shared))
    copies = candidates.with_columns(copy=pl.int_range(pl.len()).over(*_SAME, "sheet"))
    repeated = copies.filter(pl.col("sheet") > pl.col("sheet").min().over(*_SAME, "copy"))
    return numbered["position"].is_in(repeated["position"].implode()).alias("twice")
