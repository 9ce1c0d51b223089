"""The vectorised ranking metrics against a slow reference in plain Python and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from storewise.metrics import ranking


def slow_list(scores: list[float], relevant: set[int], k: int) -> list[int]:
    """Best first; of equal scores the irrelevant first, then the smaller index."""
    usable = [item for item, score in enumerate(scores) if score != -math.inf]
    return sorted(usable, key=lambda item: (-scores[item], item in relevant, item))[:k]


def slow_metrics(items: list[int], relevant: set[int], k: int) -> dict[str, float]:
    gain = sum(1 / math.log2(rank + 2) for rank, item in enumerate(items) if item in relevant)
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(relevant))))
    found, precisions, first = 0, 0.0, 0.0
    for rank, item in enumerate(items, start=1):
        if item in relevant:
            found += 1
            precisions += found / rank
            first = first or 1 / rank
    return {
        "ndcg": gain / ideal,
        "recall": found / len(relevant),
        "map": precisions / len(relevant),
        "mrr": first,
        "hit": float(found > 0),
        "precision": found / k,
    }


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_against_the_slow_reference(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    b, n = 25, 30
    scores = rng.integers(0, 6, size=(b, n)).astype(np.float32)  # many ties
    scores[rng.random((b, n)) < 0.3] = -np.inf
    scores[0] = -np.inf
    scores[1] = 0.0
    relevant = rng.random((b, n)) < 0.2
    relevant[~relevant.any(axis=1), 0] = True
    top = ranking.top_k(scores, k, sparse.csr_matrix(relevant))
    values = {name: metric(top, sparse.csr_matrix(relevant)) for name, metric in ranking.METRICS.items()}
    for user in range(b):
        wanted = set(np.flatnonzero(relevant[user]).tolist())
        items = slow_list(scores[user].tolist(), wanted, k)
        assert top[user].tolist() == items + [-1] * (k - len(items))
        for name, expected in slow_metrics(items, wanted, k).items():
            assert values[name][user] == pytest.approx(expected, abs=1e-12), name


def test_numbers_worked_out_by_hand() -> None:
    # Relevant: 1, 3, 4, 8. Hits at ranks 1, 3 and 5 of 5.
    top = np.array([[1, 0, 3, 2, 8]], np.int32)
    relevant = sparse.csr_matrix((np.ones(4), ([0] * 4, [1, 3, 4, 8])), shape=(1, 9))
    assert ranking.recall(top, relevant)[0] == pytest.approx(3 / 4)
    assert ranking.precision(top, relevant)[0] == pytest.approx(3 / 5)
    assert ranking.average_precision(top, relevant)[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    gained = 1 + 1 / 2 + 1 / math.log2(6)
    best = 1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)
    assert ranking.ndcg(top, relevant)[0] == pytest.approx(gained / best)


def test_reciprocal_rank_of_the_textbook() -> None:
    # Voorhees' question answering example: first correct answers at ranks 3, 2 and 1 give 11/18.
    top = np.array([[5, 6, 0], [5, 0, 6], [0, 5, 6]], np.int32)
    relevant = sparse.csr_matrix((np.ones(3), ([0, 1, 2], [0, 0, 0])), shape=(3, 7))
    assert ranking.reciprocal_rank(top, relevant).mean() == pytest.approx(11 / 18)
