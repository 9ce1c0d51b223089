"""Graded metrics against another library and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storewise.metrics.graded import first_relevant, graded_ndcg, graded_recall


def test_ndcg_is_sklearns_with_exponential_gain() -> None:
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(3)
    for _ in range(20):
        grades = rng.integers(0, 4, 30).astype(float)
        if not grades.any():
            continue
        scores = rng.permutation(30).astype(float)
        ours = graded_ndcg(np.argsort(-scores).tolist(), dict(enumerate(grades)), 10)
        assert ours == pytest.approx(ndcg_score([2**grades - 1], [scores], k=10))


def test_what_nobody_judged_counts_nothing_or_is_left_out() -> None:
    grades = {1: 3.0, 2: 0.0}
    assert graded_ndcg([9, 8, 1], grades, 10) == pytest.approx(0.5)
    assert graded_ndcg([9, 8, 1], grades, 10, condensed=True) == 1.0
    assert graded_ndcg([9, 2, 1], grades, 10, condensed=True) == pytest.approx(1 / math.log2(3))
    assert graded_ndcg([], grades, 10) == 0.0
    assert math.isnan(graded_ndcg([1], {1: 0.0}, 10))


def test_first_and_recall() -> None:
    assert first_relevant([5, 6], {1: 1.0}) == 0.0
    assert math.isnan(first_relevant([1], {1: 0.0}))
    assert graded_recall([1, 2, 3], {3: 1.0}, 2) == 0.0
    assert math.isnan(graded_recall([1], {}, 2))
