"""The quick judge says what the public metrics say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.metrics import ranking
from storewise.recommend.choose.judge import Judge, hits_at_rank
from storewise.recommend.choose.task import Task
from storewise.recommend.retrieve.popular import Popular
from storewise.testing.retriever import shop


@pytest.mark.parametrize("metric", sorted(ranking.METRICS))
def test_same_as_sorting_with_ties_and_unknown_products(metric):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, (200, 30)).astype(np.float32)  # many ties
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    relevant = sparse.csr_matrix(rng.random(scores.shape) < 0.15, dtype=np.float32)
    for k in (1, 5, 30):
        slow = ranking.METRICS[metric](ranking.top_k(scores, k, relevant), relevant)
        fast = ranking.METRICS[metric](hits_at_rank(scores, k, relevant), relevant)
        np.testing.assert_allclose(fast, slow)


def test_masks_seen_products_batch_by_batch(monkeypatch):
    data = shop(0)
    model = Popular()
    model.train(data, rng=np.random.default_rng(0))
    who = np.arange(50)
    relevant = sparse.csr_matrix(np.random.default_rng(1).random((50, 40)) < 0.2, dtype=np.float32)
    task = Task(data.histories(who), relevant, data.interactions.matrix[who], k=5)
    expected = ranking.ndcg(ranking.top_k(task.mask(model.scores(task.histories)), 5, relevant), relevant)
    monkeypatch.setattr("storewise.recommend.choose.judge.CELLS", 300)
    judge = Judge(task, most=100, rng=np.random.default_rng(0))
    np.testing.assert_allclose(judge.each(model), expected)
    assert judge.value(model) == pytest.approx(np.nanmean(expected))


def test_a_sample_is_a_part_of_the_shoppers():
    data = shop(0)
    model = Popular()
    model.train(data, rng=np.random.default_rng(0))
    relevant = sparse.csr_matrix(np.random.default_rng(1).random((59, 40)) < 0.2, dtype=np.float32)
    task = Task(data.histories(np.arange(59)), relevant, None, k=5)
    judge = Judge(task, most=20, rng=np.random.default_rng(0))
    everyone = Judge(task, most=59, rng=np.random.default_rng(0)).each(model)
    assert len(judge) == 20
    np.testing.assert_array_equal(judge.each(model), everyone[judge.task.histories.customers])
