"""BPR: its gradient, and what it learns."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from storewise.recommend.retrieve.bpr import Bpr, BprConfig
from storewise.recommend.retrieve.popular import Popular
from storewise.testing.retriever import shop


def objective(x, rows, positive, negative, products, sources, bias):
    """Σ log sigmoid(margin), the ranked product left out of the shopper's mean."""
    total = 0.0
    for row, p, n in zip(rows, positive, negative, strict=True):
        others = [j for j in x[row].indices if j != p]
        shopper = sources[others].sum(0) / np.sqrt(max(len(others), 1))
        total -= np.log1p(np.exp(-((products[p] - products[n]) @ shopper + bias[p, 0] - bias[n, 0])))
    return total


def test_a_step_follows_the_gradient():
    rng = np.random.default_rng(0)
    x = sparse.csr_matrix(rng.random((6, 9)) < 0.5, dtype=np.float32)
    rows = np.array([0, 0, 1, 3, 5])
    positive = np.array([x[r].indices[0] for r in rows], np.int32)
    negative = np.array([np.setdiff1d(np.arange(9), x[r].indices)[0] for r in rows])
    tables = [rng.standard_normal((9, 3)).astype(np.float32) for _ in range(2)] + [
        np.zeros((9, 1), np.float32)
    ]
    before = [t.astype(float).copy() for t in tables]
    squares = [np.full_like(t, 1e12) for t in tables]  # a huge past makes Adagrad a plain small step
    Bpr(BprConfig(learning_rate=1.0, regularization=0.0))._step(x, rows, positive, negative, tables, squares)
    for place, table in enumerate(before):
        numeric = np.zeros_like(table)
        for index in np.ndindex(table.shape):
            for sign in (1, -1):
                moved = [t.copy() for t in before]
                moved[place][index] += sign * 1e-4
                numeric[index] += sign * objective(x, rows, positive, negative, *moved) / 2e-4
        np.testing.assert_allclose((tables[place] - table) * 1e6, numeric, atol=0.3)


def test_learns_taste_that_popularity_cannot_see():
    data = shop(8)
    bpr, popular = Bpr(BprConfig(embedding_size=8, epochs=60, batch=256)), Popular()
    everyone = data.histories(np.arange(data.n_customers - 1))
    groups = np.arange(data.n_customers - 1) % 4

    def right(model):
        model.train(data, rng=np.random.default_rng(0))
        return np.mean(np.argmax(model.scores(everyone), axis=1) // 10 == groups)

    assert right(bpr) > 0.95
    assert right(popular) < 0.5
