"""Stock codes: one spelling a product, and which codes are no products at all."""

from __future__ import annotations

import polars as pl

# A catalogue number with up to three letters for the variant: 22423, 85123A, 15056BL.
_NUMBERED = r"^\d{5}[A-Z]{0,3}$"
# A house label with a catalogue number: DCGS0058, SP1002, DCGS0066N.
_LABELLED = r"^[A-Z]{2,6}\d{4}[A-Z]?$"
# A label known from those, followed by letters: DCGSSGIRL.
_MIN_LABEL_LETTERS = 4
_MIN_LABEL_CODES = 3
# Services that carry a product's number.
_SERVICE_TITLE = (
    r"(?i)\b(?:gift voucher|next day carriage|packing charge|high resolution image|test product)\b"
)

# What the other codes stand for, by words in the code or the description; the first that fits names it.
_PURPOSES = (
    ("test line", r"(?i)test"),
    ("gift voucher", r"(?i)gift|voucher"),
    ("bad debt", r"(?i)bad debt|^B$"),
    ("postage and carriage", r"(?i)postage|carriage|packing|^POST$|^DOT$|^C\d$"),
    ("fee or commission", r"(?i)fee\b|bank charges|commission|^CRUK$"),
    ("discount", r"(?i)discount|^D$"),
    ("sample", r"(?i)samples|^S$"),
    ("manual entry", r"(?i)manual|^M$"),
    ("book-keeping adjustment", r"(?i)adjust"),
)
_OTHER = "other"
PURPOSES = (*(purpose for purpose, _ in _PURPOSES), _OTHER)


def read_codes(lines: pl.DataFrame) -> pl.DataFrame:
    """What each written code is: code, product_id (normalised), purpose (null for products).

    The rule looks at the form of the code and, for services under a product's number, at the most frequent
    description; ``purpose`` only names what the rule has found, "other" where no word says more.

    >>> written = ["85123A", "85123a", "POST", "PADS"]
    >>> texts = ["HOLDER", "HOLDER", "POSTAGE", "PADS TO MATCH ALL CUSHIONS"]
    >>> read_codes(pl.DataFrame({"code": written, "description": texts})).sort("code").rows()
    ... # doctest: +NORMALIZE_WHITESPACE
    [('85123A', '85123A', None), ('85123a', '85123A', None), ('PADS', 'PADS', 'other'),
     ('POST', 'POST', 'postage and carriage')]
    """
    counted = lines.group_by("code", "description").len().drop_nulls("code")
    most = counted.sort("len", "description", descending=[True, False], nulls_last=True)
    codes = most.group_by("code", maintain_order=True).agg(pl.col("description").drop_nulls().first())
    product_id = pl.col("code").str.replace_all(r"\s+", "").str.to_uppercase()
    codes = codes.with_columns(product_id=product_id)
    labels = _labels(codes["product_id"])
    is_product = pl.any_horizontal(
        pl.col("product_id").str.contains(_NUMBERED),
        pl.col("product_id").str.contains(_LABELLED),
        pl.col("product_id").str.contains(r"^[A-Z]+$")
        & pl.any_horizontal(pl.lit(False), *(pl.col("product_id").str.starts_with(x) for x in labels)),
    ) & ~pl.col("description").str.contains(_SERVICE_TITLE).fill_null(False)
    return codes.select("code", "product_id", purpose=pl.when(~is_product).then(_purpose()))


def _labels(product_ids: pl.Series) -> list[str]:
    """Letters that precede the number in several labelled codes."""
    label = product_ids.filter(product_ids.str.contains(_LABELLED)).str.extract(r"^([A-Z]+)")
    label = label.filter(label.str.len_chars() >= _MIN_LABEL_LETTERS)
    counts = label.value_counts(name="n")
    return counts.filter(pl.col("n") >= _MIN_LABEL_CODES)[label.name].sort().to_list()


def _purpose() -> pl.Expr:
    text = pl.col("description").fill_null("")
    named = pl.lit(_OTHER)
    for purpose, words in reversed(_PURPOSES):
        fits = pl.col("product_id").str.contains(words) | text.str.contains(words)
        named = pl.when(fits).then(pl.lit(purpose)).otherwise(named)
    return named
