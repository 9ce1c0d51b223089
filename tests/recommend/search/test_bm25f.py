"""BM25F against the formula written out, and against bm25s where both are the same thing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.recommend.search.bm25f import Bm25f, Bm25fConfig
from storewise.recommend.search.index import TextIndex

TITLES = ["red lamp", "lamp lamp blue", "shoe", "garden chair red red", ""]
TEXTS = ["a lamp for reading", "", "red shoe of leather", "chair", "lamp"]


def slow(word: str, product: int, config: Bm25fConfig) -> float:
    fields = {"title": [t.split() for t in TITLES], "description": [t.split() for t in TEXTS]}
    weights = config.weights
    whole = [sum(weights[f] * len(texts[p]) for f, texts in fields.items()) for p in range(5)]
    x = 0.0
    for name, texts in fields.items():
        lengths = [len(t) for t in texts] if config.lengths == "each" else whole
        filled = [n for n in lengths if n > 0]
        norm = 1 - config.b + config.b * lengths[product] / (sum(filled) / len(filled))
        count = texts[product].count(word)
        x += weights[name] * count / norm if count else 0.0
    held = sum(any(word in texts[p] for name, texts in fields.items() if weights[name] > 0) for p in range(5))
    return math.log(1 + (5 - held + 0.5) / (held + 0.5)) * x / (config.k1 + x) if x else 0.0


@pytest.mark.parametrize("lengths", ["each", "whole"])
@pytest.mark.parametrize("weights", [{"title": 3.0, "description": 1.0}, {"title": 1.0, "description": 0.0}])
def test_scores_are_the_formula(lengths: str, weights: dict[str, float]) -> None:
    config = Bm25fConfig(k1=1.3, b=0.4, lengths=lengths, weights=weights)
    index = TextIndex.build({"title": TITLES, "description": TEXTS})
    weighed = Bm25f.of(index, config)
    for word in ("red", "lamp", "chair", "reading"):
        expected = [slow(word, product, config) for product in range(5)]
        np.testing.assert_allclose(weighed.word(word), expected, rtol=1e-5, err_msg=word)


def test_one_field_is_the_bm25_of_bm25s() -> None:
    bm25s = pytest.importorskip("bm25s", reason="bm25s is not installed")
    corpus = ["red lamp", "lamp lamp blue", "shoe", "garden chair red red", "lamp"]
    other = bm25s.BM25(k1=1.2, b=0.5, method="lucene")
    other.index([text.split() for text in corpus], show_progress=False)
    ours = Bm25f.of(TextIndex.build({"title": corpus}), Bm25fConfig(k1=1.2, b=0.5, weights={"title": 1.0}))
    for word in ("red", "lamp", "blue"):
        np.testing.assert_allclose(ours.word(word), other.get_scores([word]), rtol=1e-5)


def test_a_restored_index_is_the_same() -> None:
    index = TextIndex.build({"title": TITLES, "description": TEXTS})
    again = TextIndex.restore(index.state())
    assert again.words == index.words
    assert (Bm25f.of(again).matrix != Bm25f.of(index).matrix).nnz == 0
    empty = TextIndex.restore(TextIndex.build({"title": []}).state())
    assert (empty.words, empty.n_products) == ([], 0)


def test_fields_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match="numbers of texts"):
        TextIndex.build({"title": ["a"], "brand": ["b", "c"]})
    with pytest.raises(DataError, match="numbers of texts"):
        TextIndex.build({})
