"""Weights from pairs: against finite differences, a known taste, and none."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.recommend.search.learned import PRIORS, TERMS, default_weights, learn_weights

N = len(TERMS) + len(PRIORS)


def objective(w: np.ndarray, differences: np.ndarray, queries: np.ndarray, strength: float) -> float:
    """As the docstring says it, query by query."""
    total = 0.0
    asked = np.unique(queries)
    for query in asked:
        rows = differences[queries == query]
        total += np.mean([np.log(1 + np.exp(-float(row @ w))) for row in rows]) / len(asked)
    return float(total + strength * ((w - default_weights()) ** 2).sum())


def test_no_other_weights_nearby_are_better() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(60, N)) + np.linspace(-0.5, 0.5, N)
    queries = rng.integers(0, 9, 60)
    found = learn_weights(differences, queries, regularization=0.02).astype(np.float64)
    best = objective(found, differences, queries, 0.02)
    for _ in range(200):
        other = found + rng.normal(size=N) * 0.05
        other[: len(TERMS)] = np.maximum(other[: len(TERMS)], 0)
        assert objective(other, differences, queries, 0.02) >= best - 1e-6
    assert (found[: len(TERMS)] >= 0).all()


def test_pairs_that_say_nothing_leave_the_default() -> None:
    found = learn_weights(np.zeros((5, N)), np.arange(5))
    assert found == pytest.approx(default_weights())


def test_a_query_asked_often_weighs_no_more() -> None:
    one = np.zeros((1, N))
    one[0, -1] = 1.0
    both = np.concatenate([one, -one])
    many = np.concatenate([one, np.repeat(-one, 50, axis=0)])
    of = np.array([0] + [1] * 50)
    assert learn_weights(many, of) == pytest.approx(learn_weights(both, np.array([0, 1])), abs=1e-4)


def test_no_pair_is_refused() -> None:
    with pytest.raises(DataError, match="clicked and a passed over"):
        learn_weights(np.zeros((0, N)), np.zeros(0, np.int64))
