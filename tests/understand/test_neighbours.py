"""Neighbours against a plain sort, and faiss against the exact answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import ConfigError
from storewise.understand.base import unit
from storewise.understand.neighbours import Exact, Faiss, index_of


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 30), k=st.integers(1, 40), seed=st.integers(0, 99))
def test_exact_is_a_plain_sort_with_ties_to_the_smaller_index(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.integers(-1, 2, (n, 3)))  # many ties, and zero rows
    questions = unit(rng.integers(-1, 2, (4, 3)))
    best, cosines = Exact(vectors).search(questions, k)
    assert best.shape == cosines.shape == (4, k)
    for row, scores in enumerate(questions @ vectors.T):
        expected = sorted(range(n), key=lambda i: (-scores[i], i))[:k]
        assert best[row, : len(expected)].tolist() == expected
        assert (best[row, len(expected) :] == -1).all()
        np.testing.assert_allclose(cosines[row, : len(expected)], scores[expected], atol=1e-6)


def test_faiss_finds_nearly_what_exact_finds() -> None:
    pytest.importorskip("faiss", reason="needs the extra ann")
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((60, 16))
    vectors = unit(centres[rng.integers(0, 60, 6_000)] + 0.5 * rng.standard_normal((6_000, 16)))
    index = index_of(vectors, exact_below=1_000)
    assert isinstance(index, Faiss)
    found, cosines = index.search(vectors[:50], 10)
    truth, exact = Exact(vectors).search(vectors[:50], 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)])
    assert recall > 0.95
    assert index.recall > 0.95
    assert found[:, 0].tolist() == list(range(50))
    np.testing.assert_allclose(cosines[:, 0], exact[:, 0], atol=1e-6)
    few = Faiss(vectors[:5])
    assert few.search(vectors[:1], 7)[0][0, 5:].tolist() == [-1, -1]


def test_a_wrong_question_is_refused() -> None:
    index = Exact(np.eye(3, dtype=np.float32))
    with pytest.raises(ConfigError, match="k is 0"):
        index.search(np.eye(3, dtype=np.float32), 0)
    with pytest.raises(ConfigError, match="length 3"):
        index.search(np.eye(2, dtype=np.float32), 1)
