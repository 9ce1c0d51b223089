from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.metrics import ranking


def relevant_of(*rows: list[int], n: int) -> sparse.csr_matrix:
    dense = np.zeros((len(rows), n))
    for user, items in enumerate(rows):
        dense[user, items] = 1
    return sparse.csr_matrix(dense)


def test_a_constant_model_is_not_above_chance() -> None:
    rng = np.random.default_rng(0)
    n, k = 200, 10
    relevant = sparse.csr_matrix(rng.random((500, n)) < 0.1)
    constant = ranking.top_k(np.zeros((500, n), np.float32), k, relevant)
    chance = ranking.top_k(rng.random((500, n), np.float32), k, relevant)
    for name, metric in ranking.METRICS.items():
        assert np.nanmean(metric(constant, relevant)) <= np.nanmean(metric(chance, relevant)), name
    assert np.nanmean(ranking.ndcg(constant, relevant)) == 0.0


def test_rounding_scores_never_helps() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random((300, 100), np.float32)
    relevant = sparse.csr_matrix(rng.random((300, 100)) < scores**4)
    previous = 1.0
    for digits in (6, 2, 1, 0):
        top = ranking.top_k(np.round(scores, digits), 10, relevant)
        current = float(np.nanmean(ranking.ndcg(top, relevant)))
        assert current <= previous + 1e-9
        previous = current


def test_ties_at_the_border_of_the_list_go_to_the_irrelevant() -> None:
    relevant = relevant_of([0], n=4)
    assert ranking.top_k(np.array([[1.0, 1, 2, 1]]), 2, relevant).tolist() == [[2, 1]]
    assert ranking.top_k(np.array([[1.0, 1, 2, 1]]), 4, relevant).tolist() == [[2, 1, 3, 0]]


def test_nothing_impossible_is_listed_and_short_lists_are_padded() -> None:
    scores = np.array([[-np.inf, 1.0, -np.inf], [-np.inf, -np.inf, -np.inf]])
    assert ranking.top_k(scores, 2).tolist() == [[1, -1], [-1, -1]]
    assert ranking.top_k(scores, 5).tolist() == [[1, -1, -1, -1, -1], [-1] * 5]
    assert ranking.ndcg(ranking.top_k(scores, 2), relevant_of([0], [0], n=3)).tolist() == [0.0, 0.0]


def test_no_shoppers_at_all() -> None:
    top = ranking.top_k(np.empty((0, 5)), 3)
    assert top.shape == (0, 3)
    assert ranking.recall(top, sparse.csr_matrix((0, 5))).shape == (0,)


@pytest.mark.parametrize("name", list(ranking.METRICS))
def test_a_shopper_with_nothing_to_find_is_nan(name: str) -> None:
    relevant = relevant_of([], [1], n=3)
    values = ranking.METRICS[name](np.array([[0, 1], [1, 2]], np.int32), relevant)
    assert np.isnan(values[0])
    assert values[1] == (0.5 if name == "precision" else 1.0)


def test_explicit_zeros_are_not_relevant() -> None:
    relevant = sparse.csr_matrix((np.array([0.0, 1.0]), ([0, 0], [0, 1])), shape=(1, 3))
    assert ranking.recall(np.array([[0, 2]], np.int32), relevant).tolist() == [0.0]
    assert ranking.n_relevant(relevant).tolist() == [1.0]


@pytest.mark.parametrize("ties", [0.0, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("k", [1, 20])
def test_the_border_of_a_long_row_is_its_kth_largest_value(ties, k):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((40, 5_003)).astype(np.float32)
    scores[rng.random(scores.shape) < ties] = -np.inf
    scores[20:][rng.random((20, 5_003)) < ties] = 0.25
    expected = np.sort(scores, axis=1)[:, -k, None]
    found = [ranking.kth_largest(row, k) for row in scores]
    np.testing.assert_array_equal(np.array(found)[:, None], expected)
