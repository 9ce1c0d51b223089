"""iALS against normal equations solved one by one, and against the loss it minimises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.recommend.retrieve.ials import Ials, IalsConfig
from storewise.recommend.retrieve.least_squares import Rows
from storewise.recommend.retrieve.spectral import spectral_start
from storewise.testing.retriever import shop


@pytest.fixture
def problem(monkeypatch):
    """Rows, vectors, what they share, ridge; by number of dimensions, in several groups."""

    def make(d):
        monkeypatch.setattr("storewise.recommend.retrieve.least_squares.CELLS", 500)
        rng = np.random.default_rng(0)
        x = sparse.csr_matrix(rng.random((50, 30)) < rng.random((50, 1)) * 0.6, dtype=np.float32)
        v, shared = rng.standard_normal((30, d)).astype(np.float32), rng.random(d).astype(np.float32)
        return x, v, shared, rng.random(50).astype(np.float32) + 0.1

    return make


def one_by_one(x, v, shared, ridge):
    answers = []
    for row in range(x.shape[0]):
        chosen = v[x[row].indices].astype(float)
        system = chosen.T @ chosen + np.diag(shared + ridge[row])
        answers.append(np.linalg.solve(system, chosen.sum(0)))
    return np.array(answers)


@pytest.mark.parametrize("d", [3, 8, 40])
def test_rows_solve_their_normal_equations(d, problem):
    x, v, shared, ridge = problem(d)
    found = Rows(x, d).solve(v, shared, ridge)
    np.testing.assert_allclose(found, one_by_one(x, v, shared, ridge), atol=2e-4)


@pytest.mark.parametrize("d", [3, 8, 40])
def test_conjugate_gradients_come_nearer_with_each_step_and_arrive(d, problem):
    x, v, shared, ridge = problem(d)
    exact, start = one_by_one(x, v, shared, ridge), np.ones((50, d), np.float32)
    away = []  # in the norm of the normal equations, in which each step must help
    for steps in (1, 2, 3, 60):
        off = Rows(x, d).descend(v, shared, ridge, start=start, steps=steps) - exact
        full = np.flatnonzero(np.diff(x.indptr))
        away.append(
            sum(
                ((v[x[r].indices] @ off[r]) ** 2).sum() + ((shared + ridge[r]) * off[r] ** 2).sum()
                for r in full
            )
        )
    assert away[0] > away[1] > away[2] > away[3]
    np.testing.assert_allclose(off, 0.0, atol=5e-4)


def test_conjugate_gradients_stay_at_the_solution(problem):
    x, v, shared, ridge = problem(8)
    exact = one_by_one(x, v, shared, ridge).astype(np.float32)
    found = Rows(x, 8).descend(v, shared, ridge, start=exact, steps=3)
    np.testing.assert_allclose(found, exact, atol=1e-5)


def test_the_start_spans_the_leading_singular_vectors():
    rng = np.random.default_rng(3)
    groups = rng.integers(3, size=(200, 1)) == rng.integers(3, size=40)
    x = sparse.csr_matrix(rng.random((200, 40)) < np.where(groups, 0.6, 0.1), dtype=np.float32)
    noise = (rng.standard_normal((40, 3)) * 0.01).astype(np.float32)
    dense = x.toarray().astype(float)
    columns = np.sqrt(dense.sum(0))
    _, _, right = np.linalg.svd(dense / np.sqrt(dense.sum(1, keepdims=True)) / columns)
    found = spectral_start(x, noise, rounds=20) / columns[:, None]
    basis, _ = np.linalg.qr(found)
    cosines = np.linalg.svd(right[:3] @ basis, compute_uv=False)
    np.testing.assert_allclose(cosines, 1.0, atol=1e-4)
    np.testing.assert_array_equal(spectral_start(x, noise, rounds=0), noise)


def loss(x, u, v, c):
    fit = u @ v.T
    users = c.regularization * (x.sum(1) + c.unobserved * x.shape[1]) ** c.frequency_exponent
    items = c.regularization * (x.sum(0) + c.unobserved * x.shape[0]) ** c.frequency_exponent
    observed = ((1 - fit) ** 2 * x).sum() + c.unobserved * (fit**2).sum()
    return observed + (users * (u**2).sum(1)).sum() + (items * (v**2).sum(1)).sum()


@pytest.mark.parametrize("solver", ["cg", "exact"])
def test_training_goes_down_to_a_stationary_point(solver):
    data = shop(7)
    x = data.interactions.matrix.toarray().astype(float)
    everyone = data.histories(np.arange(data.n_customers))
    losses = []
    for epochs in (1, 3, 200):
        config = IalsConfig(embedding_size=6, epochs=epochs, regularization=0.05, solver=solver)
        model = Ials(config)
        model.train(data, rng=np.random.default_rng(0))
        losses.append(loss(x, model.shoppers(everyone), model.products, config))
    assert losses[0] > losses[1] > losses[2]
    u, v = model.shoppers(everyone).astype(float), model.products.astype(float)
    for step in (1e-3, -1e-3):  # no direction helps any more
        rng = np.random.default_rng(1)
        moved = v + step * rng.standard_normal(v.shape)
        assert loss(x, u, moved, config) > losses[2] - 1e-3


@pytest.mark.parametrize("rounds", [0, 2])
def test_few_steps_from_the_last_solution_follow_exact_solves(rounds):
    data = shop(2)
    x = data.interactions.matrix.toarray().astype(float)
    everyone = data.histories(np.arange(data.n_customers))
    reached = {}
    for solver in ("cg", "exact"):
        config = IalsConfig(embedding_size=32, epochs=50, solver=solver, start_rounds=rounds)
        model = Ials(config)
        model.train(data, rng=np.random.default_rng(0))
        reached[solver] = loss(x, model.shoppers(everyone), model.products, config)
    assert reached["cg"] == pytest.approx(reached["exact"], rel=1e-3)


def test_the_spectral_start_saves_epochs():
    data = shop(2)
    x = data.interactions.matrix.toarray().astype(float)
    everyone = data.histories(np.arange(data.n_customers))
    reached = []
    for rounds, epochs in ((2, 1), (0, 6)):
        config = IalsConfig(embedding_size=16, epochs=epochs, start_rounds=rounds)
        model = Ials(config)
        model.train(data, rng=np.random.default_rng(0))
        reached.append(loss(x, model.shoppers(everyone), model.products, config))
    assert reached[0] < reached[1]


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
