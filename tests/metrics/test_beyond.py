from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import sparse

from storewise.metrics import beyond


def test_diversity_against_a_loop_over_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matrix = (rng.random((30, 12)) < 0.3).astype(np.float32)
    matrix[:, 5] = 0  # a product that nobody has
    top = np.array([rng.permutation(12)[:5] for _ in range(20)], np.int32)
    top[0, 3:] = -1
    top[1, 1:] = -1
    top[2] = -1
    monkeypatch.setattr(beyond, "LIST_CELLS", 70)
    found = beyond.diversity(top, sparse.csr_matrix(matrix))

    def cosine(left: int, right: int) -> float:
        norm = np.linalg.norm(matrix[:, left]) * np.linalg.norm(matrix[:, right])
        return float(matrix[:, left] @ matrix[:, right] / norm) if norm else 0.0

    for user, items in enumerate(top.tolist()):
        pairs = list(itertools.combinations([i for i in items if i >= 0], 2))
        if not pairs:
            assert math.isnan(found[user])
        else:
            expected = np.mean([1 - cosine(*pair) for pair in pairs])
            assert found[user] == pytest.approx(expected, abs=1e-6)


def test_category_diversity_counts_pairs_in_different_categories() -> None:
    categories = np.array([0, 0, 1, 2])
    found = beyond.category_diversity(np.array([[0, 1, 2], [0, 1, -1], [2, 3, 0]]), categories)
    assert found.tolist() == pytest.approx([2 / 3, 0.0, 1.0])


def test_coverage_and_its_jackknife() -> None:
    top = np.array([[0, 1], [0, 2], [0, -1]], np.int32)
    found = beyond.coverage(top, 10)
    assert found.value == pytest.approx(0.3)
    # Leaving user 0, 1, 2 out loses 1, 1, 0 products of 10.
    lost = np.array([0.1, 0.1, 0.0])
    spread = 1.959964 * math.sqrt(2 / 3 * ((lost - lost.mean()) ** 2).sum())
    assert (found.low, found.high) == pytest.approx((0.3 - spread, 0.3 + spread))
    assert beyond.coverage(np.array([[-1]], np.int32), 10).value == 0.0


def test_novelty_is_self_information() -> None:
    popularity = np.array([7, 1, 0])
    found = beyond.novelty(np.array([[0, 1], [2, -1], [-1, -1]]), popularity, 7)
    assert found[:2].tolist() == pytest.approx([(0 + 2) / 2, 3.0])
    assert math.isnan(found[2])


def test_popular_lists_are_less_novel() -> None:
    popularity = np.arange(100)
    head, tail = np.array([[99, 98]]), np.array([[1, 2]])
    assert beyond.novelty(head, popularity, 100)[0] < beyond.novelty(tail, popularity, 100)[0]
    assert beyond.mean_popularity(head, popularity)[0] == pytest.approx(98.5)
