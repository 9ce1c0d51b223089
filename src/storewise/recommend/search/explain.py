"""Why a product is found: which word of the query, read as what, stands in which field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storewise.recommend.search.index import TextIndex
from storewise.recommend.search.spelling import Kind, Wanted


@dataclass(frozen=True, slots=True)
class Match:
    """``word`` as typed (normalised), ``found`` as it stands in the product, ``kind`` how one became the other."""

    word: str
    found: str
    kind: Kind
    fields: tuple[str, ...]


def explain(index: TextIndex, wanted: Sequence[Wanted], product: int) -> tuple[Match, ...]:
    """One match for each word of the query that the product holds; empty when it holds none.

    >>> from storewise.recommend.search.analyser import query_words
    >>> from storewise.recommend.search.spelling import Speller
    >>> index = TextIndex.build({"title": ["Wireless headphones"], "brand": ["Sony"]})
    >>> for match in explain(index, Speller(index)(query_words("sony headfones")), 0):
    ...     print(match.word, match.found, match.kind, match.fields)
    sony sony exact ('brand',)
    headfone headphone corrected ('title',)
    """
    found = []
    for word in wanted:
        for option in sorted(word.alternatives, key=lambda one: -one.weight):
            places = [_fields(index, number, product) for number in option.words]
            if all(places):
                fields = tuple(dict.fromkeys(field for place in places for field in place))
                text = " ".join(index.words[number] for number in option.words)
                found.append(Match(word.text, text, option.kind, fields))
                break
    return tuple(found)


def _fields(index: TextIndex, word: int, product: int) -> list[str]:
    """The fields of a product that hold a word."""
    held = []
    for name, counts in index.counts.items():
        row = counts.indices[counts.indptr[word] : counts.indptr[word + 1]]
        place = int(np.searchsorted(row, product))
        if place < len(row) and row[place] == product:
            held.append(name)
    return held
