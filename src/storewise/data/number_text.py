"""Numbers written for people: thousands grouped, a decimal comma, a currency, a percent sign."""

from __future__ import annotations

import polars as pl

LIKE = 0.99  # share of the values that must be numbers
BLANKS = ("", "-", "na", "n/a", "nan", "null", "none")
SIGNS = r"[\s\u00a0$€£¥₹₽￥元%]|USD|EUR|GBP|CNY|RMB"
PLAIN = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
GROUPED = r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$"  # 1,234.5
COMMA = r"^[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"  # 1.234,5


def read_numbers(column: pl.Series) -> pl.Series | None:
    """Text as float64, all in one way of writing; None where fewer than 99 % of the values are numbers.

    Where a comma could mean either, it groups thousands if three digits follow it everywhere.

    >>> read_numbers(pl.Series(["$1,234.50", "$7"])).to_list(), read_numbers(pl.Series(["1,5", "12,25"])).to_list()
    ([1234.5, 7.0], [1.5, 12.25])
    >>> read_numbers(pl.Series(["red", "1,5"])) is None
    True
    """
    some = column.drop_nulls().head(1000)
    if not len(some) or some.str.contains(r"\d").mean() < 0.5:  # type: ignore[operator]
        return None
    text = column.str.strip_chars()
    text = text.to_frame().select(
        pl.when(~pl.first().str.to_lowercase().is_in(BLANKS)).then(pl.first())
    ).to_series()  # fmt: skip
    known = len(text) - text.null_count()
    if not known:
        return None
    bare = text.str.replace_all(SIGNS, "").str.replace(r"^\((.+)\)$", "-$1")
    plain, grouped, comma = (bare.str.contains(form).fill_null(False) for form in (PLAIN, GROUPED, COMMA))
    pointed = bare.str.replace_all(",", "", literal=True)
    dotted = bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    for fits, made in ((plain | grouped, pointed), (comma, dotted)):
        if fits.sum() >= LIKE * known:
            return made.to_frame().select(
                pl.when(fits).then(pl.first().cast(pl.Float64, strict=False))
            ).to_series()  # fmt: skip
    return None
