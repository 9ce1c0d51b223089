"""Scores of a query's words: every word counts by the best of what it may stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.recommend.search.bm25f import Bm25f
from storewise.recommend.search.spelling import Wanted

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lexical:
    """``scores`` (n_products,) float32, 0 where no word matches; ``coverage`` (n_products,): the share of the
    query's words that a product holds, each at the weight of its alternative."""

    scores: Scores
    coverage: Scores


def score(weighed: Bm25f, wanted: Sequence[Wanted]) -> Lexical:
    """Add up words; of a word's alternatives the highest counts in each product.

    An alternative of several words counts where all are held: the mean of their scores times its weight. None counts
    as rarer than the word's first alternative: a compound that two products hold must not outweigh the words typed.

    >>> from storewise.recommend.search.analyser import query_words
    >>> from storewise.recommend.search.index import TextIndex
    >>> from storewise.recommend.search.spelling import Speller
    >>> index = TextIndex.build({"title": ["red lamp", "lamp", "shoe"]})
    >>> score(Bm25f.of(index), Speller(index)(query_words("red lamps"))).coverage.tolist()
    [1.0, 0.5, 0.0]
    """
    n = weighed.index.n_products
    scores, coverage = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for word in wanted:
        if len(word.alternatives) == 1 and len(word.alternatives[0].words) == 1:
            only = word.alternatives[0]
            products, values = weighed.row(only.words[0])
            scores[products] += np.float32(only.weight) * values
            coverage[products] += np.float32(only.weight)
            continue
        best, held = np.zeros(n, np.float32), np.zeros(n, np.float32)
        rarity = [float(weighed.idf[list(option.words)].mean()) for option in word.alternatives]
        for option, rare in zip(word.alternatives, rarity, strict=True):
            products, values = _all_of(weighed, option.words)
            weight = np.float32(option.weight)
            best[products] = np.maximum(best[products], weight * min(1.0, rarity[0] / rare) * values)
            held[products] = np.maximum(held[products], weight)
        scores += best
        coverage += held
    return Lexical(scores, coverage / np.float32(max(1, len(wanted))))


def _all_of(weighed: Bm25f, words: Sequence[int]) -> tuple[npt.NDArray[np.int32], Scores]:
    products, values = weighed.row(words[0])
    for other in words[1:]:
        more, more_values = weighed.row(other)
        products, left, right = np.intersect1d(products, more, assume_unique=True, return_indices=True)
        values = values[left] + more_values[right]
    return products, values / np.float32(len(words))


def score_views(weighed: Mapping[str, Bm25f], wanted: Sequence[Wanted]) -> dict[str, Lexical]:
    """The same query under several field weights."""
    return {name: score(one, wanted) for name, one in weighed.items()}
