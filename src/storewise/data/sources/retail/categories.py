"""A category for each product, derived from the words of its title (the data have none)."""

from __future__ import annotations

import re

import polars as pl

from storewise.data.sources.retail.nouns import MOTIFS, NOUNS, PHRASES, SEASONS

# Words after these describe the thing, they do not name it: "MUG WITH SPOON", "KEY FOB , SHED".
_TAIL = re.compile(r"(?: (?:with|w|for|in|on|and|from|by) | w/| ?,| [+&] ).*$")
_COUNT = re.compile(
    r"^(?:s/ ?\d+|\d+ (?:piece|pc)\b|(?:set|pack|box|bag|pair|tube|roll|bundle|assorted|asstd?)"
    r"(?: of (?=\d|two|three|four|five|six)|/|(?= \d))[ \d]*) ?"
)
_WORD = re.compile(r"[a-z][a-z'-]*")


def _by_word(table: dict[str, str]) -> dict[str, str]:
    return {word: category for category, words in table.items() for word in words.split()}


_NOUN = _by_word(NOUNS)
_MOTIF = _by_word(MOTIFS)


def derive_categories(titles: pl.Series) -> pl.Series:
    """The category of each title (String, null where no word decides), named ``category``.

    >>> titles = ["SET OF 3 BISCUIT TINS", "LUNCH BAG BLACK SKULL.", "CHRISTMAS GINGHAM TREE", "17129F"]
    >>> derive_categories(pl.Series(titles)).to_list()
    ['storage', 'bag', 'christmas', None]
    """
    return pl.Series("category", [derive_category(title) for title in titles], dtype=pl.String)


def derive_category(title: str) -> str | None:
    """The season a title names; else the kind of thing that its words say.

    First come fixed phrases, then nouns, then motifs (a heart, a bird), which often only decorate another
    thing. Of several nouns the last decides, as English has it ("JUMBO STORAGE BAG"), but what stands before
    "with", "for" or a comma goes before what stands behind.
    """
    text = " ".join(title.lower().split())
    for table in (SEASONS, PHRASES):
        for category, pattern in table.items():
            if re.search(rf"\b(?:{pattern})\b", text):
                return category
    text = _COUNT.sub("", text)
    head = _TAIL.sub("", text)
    for part, words in ((head, _NOUN), (text, _NOUN), (head, _MOTIF), (text, _MOTIF)):
        for word in reversed(_WORD.findall(part)):
            found = words.get(word) or words.get(word.removesuffix("s"))
            if found:
                return found
    return None
