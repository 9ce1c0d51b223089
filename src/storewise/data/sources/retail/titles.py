"""One title a product, by majority of the lines that sell it."""

from __future__ import annotations

import polars as pl

# What warehouse and accounts write where a title should be. The catalogue is written in capitals and its titles
# have several words ("RUSTIC STAR", "BROWN CHECK CAT DOORSTOP"), so capitals are a note only as a single word.
_NOTE_WORDS = (
    r"(?i)damag|\blost\b|missing|\bmia\b|smashed|broken|crushed|thrown|throw|destroy|mould|\bwet\b|rust|fault|"
    r"check|found|adjust|amazon|ebay|dotcom|\bsold as\b|wrong|incorrect|mixed up|count|sample|\btest\b|given|"
    r"barcode|dagamed|display|unsaleable|online retail|stock|website|returned|credit|marked|temp|alan hodge"
)
_NO_LETTERS = r"^[^\p{L}]*$"


def best_titles(lines: pl.DataFrame) -> pl.DataFrame:
    """The title of each product: product_id, title, spellings (how many different titles sold it).

    The most frequent description that is not a note; of two equally frequent ones the longer, then the first
    by the alphabet. A product without any keeps its code as title, with 0 spellings.

    Args:
        lines: product_id, description (may be null), of lines that sell the product at a price.

    >>> texts = ["T-LIGHT HOLDER", "T-LIGHT HOLDER", "damaged", "HOLDER"]
    >>> best_titles(pl.DataFrame({"product_id": ["A"] * 4, "description": texts})).rows()
    [('A', 'T-LIGHT HOLDER', 2)]
    """
    counted = lines.group_by("product_id", "description").len()
    by_vote = [pl.col("len"), pl.col("description").str.len_chars(), pl.col("description")]
    titles = counted.drop_nulls("description").filter(~is_note())
    ranked = titles.sort("product_id", *by_vote, descending=[False, True, True, False])
    best = ranked.group_by("product_id").agg(title=pl.col("description").first(), spellings=pl.len())
    products = counted.select("product_id").unique().sort("product_id")
    return products.join(best, on="product_id", how="left", maintain_order="left").select(
        "product_id", pl.col("title").fill_null(pl.col("product_id")), pl.col("spellings").fill_null(0)
    )


def is_note() -> pl.Expr:
    """Whether column ``description`` holds a note instead of a title.

    >>> texts = ["damages?", "??", "CHECK", "BROWN CHECK CAT DOORSTOP", "BAG 250g SWIRLY MARBLES"]
    >>> pl.DataFrame({"description": texts}).select(is_note()).to_series().to_list()
    [True, True, True, False, False]
    """
    text = pl.col("description")
    capitals = text.str.count_matches(r"\p{Lu}") * 2 > text.str.count_matches(r"\p{L}")
    is_title = capitals & text.str.contains(" ", literal=True)
    return text.str.contains(_NO_LETTERS) | (text.str.contains(_NOTE_WORDS) & ~is_title)
