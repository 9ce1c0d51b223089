"""iALS against normal equations solved one by one, and against the loss it minimises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.recommend.retrieve.ials import Ials, IalsConfig, solve_rows
from storewise.testing.retriever import shop


@pytest.mark.parametrize("d", [3, 8, 40])
def test_rows_solve_their_normal_equations(d, monkeypatch):
    monkeypatch.setattr("storewise.recommend.retrieve.ials.CELLS", 500)  # several buckets
    rng = np.random.default_rng(0)
    x = sparse.csr_matrix(rng.random((50, 30)) < rng.random((50, 1)) * 0.6, dtype=np.float32)
    v, shared = rng.standard_normal((30, d)).astype(np.float32), rng.random(d).astype(np.float32)
    ridge = rng.random(50).astype(np.float32) + 0.1
    found = solve_rows(x, v, shared, ridge)
    for row in range(50):
        chosen = v[x[row].indices].astype(float)
        system = chosen.T @ chosen + np.diag(shared + ridge[row])
        np.testing.assert_allclose(found[row], np.linalg.solve(system, chosen.sum(0)), atol=2e-4)


def loss(x, u, v, c):
    fit = u @ v.T
    users = c.regularization * (x.sum(1) + c.unobserved * x.shape[1]) ** c.frequency_exponent
    items = c.regularization * (x.sum(0) + c.unobserved * x.shape[0]) ** c.frequency_exponent
    observed = ((1 - fit) ** 2 * x).sum() + c.unobserved * (fit**2).sum()
    return observed + (users * (u**2).sum(1)).sum() + (items * (v**2).sum(1)).sum()


def test_training_goes_down_to_a_stationary_point():
    data = shop(7)
    x = data.interactions.matrix.toarray().astype(float)
    everyone = data.histories(np.arange(data.n_customers))
    losses = []
    for epochs in (1, 3, 200):
        config = IalsConfig(embedding_size=6, epochs=epochs, regularization=0.05)
        model = Ials(config)
        model.train(data, rng=np.random.default_rng(0))
        losses.append(loss(x, model.shoppers(everyone), model.products, config))
    assert losses[0] > losses[1] > losses[2]
    u, v = model.shoppers(everyone).astype(float), model.products.astype(float)
    for step in (1e-3, -1e-3):  # no direction helps any more
        rng = np.random.default_rng(1)
        moved = v + step * rng.standard_normal(v.shape)
        assert loss(x, u, moved, config) > losses[2] - 1e-3


def test_the_diagonal_that_is_kept_belongs_to_the_vectors():
    data = shop(7)
    model = Ials(IalsConfig(embedding_size=6, unobserved=0.3))
    model.train(data, rng=np.random.default_rng(0))
    state = model.state()
    gram = 0.3 * state["products"].T @ state["products"]
    np.testing.assert_allclose(gram, np.diag(state["shared"]), atol=1e-4)


def test_ranks_what_similar_customers_chose_first():
    data = shop(8)
    model = Ials(IalsConfig(embedding_size=8, unobserved=0.05))
    model.train(data, rng=np.random.default_rng(0))
    groups = np.arange(data.n_customers - 1) % 4
    scores = model.scores(data.histories(np.arange(data.n_customers - 1)))
    best = np.argmax(scores, axis=1)
    assert np.mean(best // 10 == groups) > 0.95
