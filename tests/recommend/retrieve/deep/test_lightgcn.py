"""LightGCN: its propagation against dense matrices, its loss against loops, and that hidden edges stay hidden."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.core.component import same_state
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.lightgcn import ITEM, LightGcn, LightGcnConfig, Propagation
from storewise.testing.retriever import shop

torch = pytest.importorskip("torch", reason="needs the extra deep")

from storewise.recommend.retrieve.deep.neural import Step  # noqa: E402

STEP = Step(torch, torch.device("cpu"), np.random.default_rng(0), training=False)


def graph(seed=0, users=12, items=9):
    x = np.random.default_rng(seed).random((users, items)) < 0.3
    x[:, -1] = False  # nobody has the last product
    return sparse.csr_matrix(x.astype(np.float32))


def dense(x, e, layers):
    """The formula of the docstring, word for word."""
    x = x.toarray().astype(float)
    n, m = np.maximum(x.sum(axis=0), 1), np.maximum(x.sum(axis=1), 1)
    a = x / np.sqrt(m[:, None] * n)
    return np.mean([np.linalg.matrix_power(a.T @ a, k) @ e for k in range(layers + 1)], axis=0), n**-0.5


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_propagation_is_the_formula_in_numpy_and_torch_and_so_is_its_gradient(layers):
    x, rng = graph(), np.random.default_rng(1)
    e, slope = (rng.standard_normal((9, 4)).astype(np.float32) for _ in range(2))
    wanted, _ = dense(x, e, layers)
    np.testing.assert_allclose(Propagation(x).mean(e, layers), wanted, atol=1e-6)
    tensor = torch.tensor(e, requires_grad=True)
    found = Propagation(x).smooth(tensor, layers, STEP)
    np.testing.assert_allclose(found.detach().numpy(), wanted, atol=1e-6)
    found.backward(torch.from_numpy(slope))
    # The map is linear: the gradient of <slope, P e> is Pᵀ slope.
    matrix = dense(x, np.eye(9), layers)[0]
    np.testing.assert_allclose(tensor.grad.numpy(), matrix.T @ slope, atol=1e-6)


def test_the_loss_by_loops():
    """Each hidden product against the sample without what the shopper has, log-Q corrected."""
    data, c = shop(0), LightGcnConfig(embedding_size=4, negatives=30, layers=1, batch_size=1_000)
    model = LightGcn(c)
    prepared = model.prepare(data)
    batch = model.batches(prepared, np.random.default_rng(3))[0]
    e = np.random.default_rng(4).standard_normal((data.n_products, 4)).astype(np.float32)
    step = Step(torch, torch.device("cpu"), np.random.default_rng(5))
    found = float(model.loss({ITEM: torch.from_numpy(e)}, batch, prepared, step))

    whole, rest, asked = batch
    chance = np.maximum(np.diff(whole.columns.indptr), 1) ** 0.5
    chance = chance / chance.sum()
    drawn = np.random.default_rng(5).choice(len(chance), 30, p=chance)
    smooth, scale = dense(whole.columns.T.tocsr(), e, 1)
    unit = smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-6)
    losses = []
    for row in range(rest.shape[0]):
        had, hidden = rest[row].indices, asked[row].indices
        u = (smooth[had] * scale[had, None]).sum(axis=0)
        logits = unit @ (u / max(np.linalg.norm(u), 1e-6)) / c.temperature
        others = [np.exp(logits[j]) / (30 * chance[j]) for j in drawn if j not in {*had, *hidden}]
        losses += [np.log(np.exp(logits[y]) + sum(others)) - logits[y] for y in hidden]
    assert found == pytest.approx(np.mean(losses), rel=1e-4)


def test_an_epoch_hides_edges_from_its_graph_and_hides_others_the_next_time():
    data = shop(0)
    model = LightGcn(LightGcnConfig(held=0.3, batch_size=7))
    prepared, rng = model.prepare(data), np.random.default_rng(0)
    epochs = [model.batches(prepared, rng) for _ in range(2)]
    asked = []
    for batches in epochs:
        assert all(rest.multiply(hidden).nnz == 0 for _, rest, hidden in batches)
        left = batches[0][0].columns.T
        assert prepared.multiply(left).nnz == left.nnz < prepared.nnz
        assert max(hidden.shape[0] for _, _, hidden in batches) <= 7
        asked.append(sum(hidden.nnz for _, _, hidden in batches))
    assert 0.15 < asked[0] / prepared.nnz < 0.4
    different = epochs[0][0][0].columns != epochs[1][0][0].columns
    assert different.nnz > 0


def test_the_answer_is_the_cosine_of_propagated_sums():
    data = shop(0)
    model = LightGcn(LightGcnConfig(embedding_size=8, epochs=2, patience=0, batch_size=16))
    model.train(data, rng=np.random.default_rng(0))
    smooth, scale = dense(data.interactions.matrix, model.weights[ITEM], 2)
    history = [3, 7, 1]
    u = (smooth[history] * scale[history, None]).sum(axis=0)
    unit = smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-6)
    wanted = unit @ u / np.linalg.norm(u) / 0.15
    found = model.scores(Histories.single(history, n_products=data.n_products))[0]
    told = np.isfinite(found)
    np.testing.assert_allclose(found[told], wanted[told], rtol=1e-3, atol=1e-4)


def test_a_kept_model_answers_without_its_graph():
    data = shop(0)
    model = LightGcn(LightGcnConfig(embedding_size=8, epochs=2, patience=0, batch_size=16))
    model.train(data, rng=np.random.default_rng(0))
    again = LightGcn(model.config)
    again.restore(model.state())
    assert same_state(model.state(), again.state())
    asked = data.histories(np.arange(5))
    np.testing.assert_array_equal(model.scores(asked), again.scores(asked))


def test_two_groups_are_told_apart():
    """Customers of two tastes: what a customer has not had of the own half comes before all of the other half."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(200), 8)
    what = rng.integers(0, 15, len(who)) + 15 * (who % 2)
    data = Dataset.of(who, what, n_customers=200, n_products=30)
    model = LightGcn(
        LightGcnConfig(embedding_size=8, epochs=10, patience=0, batch_size=64, negatives=30, warm_up=5)
    )
    model.train(data, rng=np.random.default_rng(1))
    scores = model.scores(Histories.single([0, 1, 2], n_products=30))[0]
    assert scores[3:15].min() > scores[15:].max()
