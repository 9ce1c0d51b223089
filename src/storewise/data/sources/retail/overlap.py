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
MIN_LINES = 200  # of a day that is called delivered twice by its counts alone


def delivered_twice(lines: pl.DataFrame) -> pl.Series:
    """True for each line that repeats a line of an earlier sheet (boolean, one a line).

    A sheet begins where the time jumps back by more than a day. The k-th copy of a line within the later
    sheet repeats the k-th copy within the earlier one; copies beyond that are new. A table without such a
    jump may have been sorted since: there, days with at least ``MIN_LINES`` lines on which every line occurs
    an even number of times count as delivered twice, and the second half of the copies goes.

    >>> from datetime import datetime
    >>> row = dict(invoice="1", code="22423", description="STAND", price=1.0, customer_id="7", country="UK")
    >>> days = [datetime(2010, 12, day) for day in (1, 1, 9, 1, 9, 9)]  # the second sheet starts at the 4th
    >>> delivered_twice(pl.DataFrame([row | {"quantity": 1, "at": day} for day in days])).to_list()
    [False, False, False, True, True, False]
    """
    placed = lines.select(
        *_SAME,
        position=pl.int_range(pl.len(), dtype=pl.UInt32),
        sheet=(pl.col("at") < pl.col("at").shift() - _JUMP).fill_null(False).cum_sum(),
    )
    several = placed.height > 0 and placed["sheet"][-1] > 0
    repeated = _repeated_by_sheet(placed) if several else _repeated_by_day(placed)
    return placed.select(twice=pl.col("position").is_in(repeated.implode())).to_series()


def _repeated_by_sheet(placed: pl.DataFrame) -> pl.Series:
    spans = placed.group_by("sheet").agg(pl.col("at").min(), last=pl.col("at").max()).sort("sheet")
    shared = [
        pl.col("at").is_between(later, earlier)
        for later, earlier in zip(spans["at"][1:], spans["last"][:-1], strict=True)
    ]
    candidates = placed.filter(pl.any_horizontal(shared))
    copies = candidates.with_columns(copy=pl.int_range(pl.len()).over(*_SAME, "sheet"))
    return copies.filter(pl.col("sheet") > pl.col("sheet").min().over(*_SAME, "copy"))["position"]


def _repeated_by_day(placed: pl.DataFrame) -> pl.Series:
    day = pl.col("at").dt.date()
    by_day = placed.with_columns(day=day, content=placed.select(_SAME).hash_rows())
    copies = by_day.group_by("day", "content").len()
    even = copies.group_by("day").agg(lines=pl.col("len").sum(), even=(pl.col("len") % 2 == 0).all())
    days = even.filter(pl.col("even") & (pl.col("lines") >= MIN_LINES))["day"]
    if not len(days):
        return placed["position"].clear()
    candidates = by_day.filter(pl.col("day").is_in(days.implode()))
    copy, copies_of_it = pl.int_range(pl.len()).over(_SAME), pl.len().over(_SAME)
    return candidates.filter(copy * 2 >= copies_of_it)["position"]
