"""Heads against other libraries, slow references and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.semi_supervised import LabelSpreading

from storewise.core.component import same_state
from storewise.core.errors import StateError, UnknownName
from storewise.understand.labels import heads, neighbours
from storewise.understand.labels.neighbours import Knn, KnnConfig, graph, nearest, spread
from storewise.understand.labels.ridge import Ridge, RidgeConfig, calibrate
from storewise.understand.labels.softmax import Softmax, SoftmaxConfig, gradients


def clouds(n=300, d=6, k=4, seed=0, apart=1.5):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    x = rng.normal(size=(k, d))[y] * apart + rng.normal(size=(n, d))
    return x.astype(np.float32), y


@pytest.mark.parametrize("name", heads.HEADS)
def test_every_head_learns_clouds_and_survives_a_round_trip(name):
    x, y = clouds(apart=2.5)
    head = heads.fit(name, x[:200], y[:200], 4, seed=3)
    told = head.log_probabilities(x[200:])
    assert (told.dtype, told.shape) == (np.float32, (100, 4))
    np.testing.assert_allclose(np.exp(told).sum(axis=1), 1, atol=1e-4)
    assert (told.argmax(axis=1) == y[200:]).mean() > 0.85
    np.testing.assert_allclose(head.log_probabilities(x[200:][::-1])[::-1], told, atol=1e-4)
    again = heads.HEADS[name]()
    with pytest.raises(StateError, match="not been trained"):
        again.log_probabilities(x)
    again.restore(head.state())
    np.testing.assert_array_equal(again.log_probabilities(x[200:]), told)
    assert same_state(heads.fit(name, x[:200], y[:200], 4, seed=3).state(), head.state())


def test_an_unknown_head_is_named():
    with pytest.raises(UnknownName, match="ridge, logistic, mlp, knn"):
        heads.fit("forest", *clouds(), 4, seed=0)


def test_softmax_regression_is_that_of_scikit_learn():
    x, y = clouds(apart=0.8)
    config = SoftmaxConfig(label_smoothing=0, weight_decay=0, epochs=400, learning_rate=0.05, batch_size=300)
    model = Softmax(config)
    model.fit(x, y, 4, rng=np.random.default_rng(0))
    expected = LogisticRegression(C=1e6, max_iter=2000, tol=1e-8).fit(x, y).predict_log_proba(x)
    np.testing.assert_allclose(model.log_probabilities(x), expected, atol=0.03)


@pytest.mark.parametrize("hidden", [0, 5])
def test_gradients_against_finite_differences(hidden):
    rng = np.random.default_rng(1)
    sizes = {"w": (hidden or 6, 3), "b": (3,)} | ({"w1": (6, hidden), "b1": (hidden,)} if hidden else {})
    weights = {name: rng.normal(size=size) for name, size in sizes.items()}
    x, wanted = rng.normal(size=(8, 6)), rng.dirichlet(np.ones(3), 8)
    share = rng.dirichlet(np.ones(8))

    def loss(changed):
        inside = np.maximum(x @ changed["w1"] + changed["b1"], 0) if hidden else x
        return -(share[:, None] * wanted * log_softmax(inside @ changed["w"] + changed["b"], axis=1)).sum()

    found = gradients(weights, x, wanted, share, 0.0, rng)
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        for place in np.ndindex(array.shape):
            moved = []
            for step in (1e-5, -1e-5):
                changed = {key: value.copy() for key, value in weights.items()}
                changed[name][place] += step
                moved.append(loss(changed))
            assert found[name][place] == pytest.approx((moved[0] - moved[1]) / 2e-5, abs=1e-6)


def test_a_row_of_weight_nothing_teaches_nothing():
    x, y = clouds()
    weight = np.ones(len(x), np.float32)
    weight[200:] = 1e-9
    for name in ("ridge", "logistic", "knn"):
        wrong = np.where(np.arange(len(y)) < 200, y, (y + 1) % 4)
        told = heads.fit(name, x, wrong, 4, seed=0, weight=weight).log_probabilities(x[:200])
        assert (told.argmax(axis=1) == y[:200]).mean() > 0.75, name


@pytest.mark.parametrize("shape", [(60, 5), (20, 50)])
def test_ridge_is_that_of_scikit_learn_and_leaves_one_out_exactly(shape):
    x, y = clouds(*shape, k=3)
    model = Ridge(RidgeConfig(penalties=(0.3,)))
    model.fit(x, y, 3)
    centred = x - x.mean(axis=0)
    penalty = 0.3 * float((centred.astype(float) ** 2).sum() / len(x))
    one_hot = np.eye(3)[y]
    oracle = SklearnRidge(alpha=penalty).fit(x, one_hot)
    np.testing.assert_allclose(model.scores(x), oracle.predict(x), atol=1e-4)
    for row in (0, 7, 19):
        others = np.delete(np.arange(len(x)), row)
        # PRESS holds the penalty and takes the row out of mean and fit alike.
        left = SklearnRidge(alpha=penalty).fit(x[others], one_hot[others]).predict(x[[row]])[0]
        np.testing.assert_allclose(model.without[row], left, atol=1e-4)


def test_ridge_prefers_a_stronger_penalty_where_columns_are_noise():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    noise = rng.normal(size=(60, 200)).astype(np.float32)
    model = Ridge()
    model.fit(noise, y, 3)
    assert np.exp(model.log_probabilities(noise)).max() < 0.75  # it has nothing to be sure of


def test_temperature_undoes_a_known_one():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 4)) * 2
    truth = (np.exp(log_softmax(scores, axis=1)).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    for t in (0.5, 1.0, 3.0):
        assert heads.temperature(log_softmax(scores / t, axis=1), truth) == pytest.approx(1 / t, rel=0.05)
    assert calibrate(scores * 0.1, truth, (0.05, 0.1, 0.2))[1] == 0.1


def test_choosing_is_by_validation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2)).astype(np.float32) * 3
    y = (x[:, 0] * x[:, 1] > 0).astype(int)  # no line tells these apart
    found = heads.choose_head(x, y, 2, np.arange(300), np.arange(300, 500), seed=0)
    assert [choice.name for choice in found][-1] in ("ridge", "logistic")
    assert found[0].accuracy > 0.9
    assert found[0].accuracy >= found[-1].accuracy


def test_a_team_is_never_worse_on_validation_and_drops_who_does_not_help():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)

    def told(name, noise):
        scores = np.eye(3)[truth] * 2 + rng.normal(0, noise, (400, 3))
        logs = log_softmax(scores / heads.temperature(log_softmax(scores, axis=1), truth), axis=1)
        return heads.Choice(name, 1.0, 0.0, heads.log_loss(logs, truth), logs, 0.0)

    choices = [told("good", 1.0), told("too", 1.0), told("noise", 50.0)]
    found = heads.team(choices, truth)
    assert {one.name for one in found} == {"good", "too"}
    assert heads.log_loss(heads.mean([one.validation for one in found]), truth) < min(
        c.log_loss for c in choices
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(2, 40), st.integers(1, 12), st.booleans())
def test_nearest_against_sorting(asked, known, k, same):
    rng = np.random.default_rng(asked * known)
    b = rng.normal(size=(known, 4)).astype(np.float32)
    a = b if same else rng.normal(size=(asked, 4)).astype(np.float32)
    places, likeness = nearest(a, b, k, same=same)
    product = a @ b.T
    if same:
        np.fill_diagonal(product, -np.inf)
    expected = -np.sort(-product, axis=1)[:, : min(k, known - same)]
    np.testing.assert_allclose(likeness, expected, rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(product, places, axis=1), expected, rtol=1e-5)


def test_nearest_in_chunks(monkeypatch):
    x, _ = clouds(50)
    whole = nearest(x, x, 3, same=True)
    monkeypatch.setattr(neighbours, "CHUNK", 7)
    np.testing.assert_array_equal(nearest(x, x, 3, same=True)[0], whole[0])


def test_the_nearest_vote():
    x = np.float32([[1, 0], [1, 0.1], [0, 1]])
    model = Knn(KnnConfig(neighbours=2, sharpness=0))
    model.fit(x, np.array([0, 1, 1]), 2)
    np.testing.assert_allclose(
        np.exp(model.log_probabilities(np.float32([[2, 0.1]])))[0], [0.5, 0.5], atol=1e-6
    )


def test_spreading_is_that_of_scikit_learn_where_classes_have_one_label_each():
    rng = np.random.default_rng(0)
    x = (np.repeat(np.eye(3), 30, axis=0) * 3 + rng.normal(size=(90, 3))).astype(np.float32)
    labelled, targets = np.array([0, 30, 60]), np.array([0, 1, 2])
    found = spread(graph(x, 89), labelled, targets, 3, alpha=0.8, iterations=300)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)

    def cosines(a, b):
        graph = np.maximum(a @ b.T, 0)
        np.fill_diagonal(graph, 0)
        return graph

    y = np.full(90, -1)
    y[labelled] = targets
    oracle = LabelSpreading(kernel=cosines, alpha=0.8, max_iter=2000, tol=1e-9).fit(unit, y)
    np.testing.assert_allclose(found, oracle.label_distributions_, atol=2e-3)


def test_smoothing_a_prior_mends_its_errors_and_keeps_what_is_known():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    x = (np.stack([1 - y, y], axis=1) * 4 + rng.normal(size=(200, 2))).astype(np.float32)
    prior = np.where(
        (np.arange(200) % 7 == 0)[:, None], np.eye(2)[1 - y] * 0.4 + 0.3, np.eye(2)[y] * 0.4 + 0.3
    )
    labelled = np.array([7, 107])
    assert (prior.argmax(axis=1) == y).mean() < 0.9
    found = spread(graph(x, 10), labelled, y[labelled], 2, alpha=0.6, prior=prior)
    assert (found.argmax(axis=1) == y).mean() > 0.92
    unmoved = spread(graph(x, 10), labelled, y[labelled], 2, alpha=0.0, prior=prior)
    np.testing.assert_allclose(
        np.delete(unmoved, labelled, axis=0), np.delete(prior, labelled, axis=0), atol=1e-6
    )
    assert unmoved[7].tolist() == [1.0, 0.0]


def test_spreading_follows_the_shape_of_what_has_no_label():
    t = np.linspace(0, 1, 150)
    arcs = [np.stack([np.cos(2 * t + s), np.sin(2 * t + s)], axis=1) for s in (0, np.pi)]
    x = np.concatenate(arcs).astype(np.float32)
    found = spread(graph(x, 6), np.array([0, 150]), np.array([0, 1]), 2, iterations=400, alpha=0.99)
    assert (found.argmax(axis=1) == np.repeat([0, 1], 150)).mean() > 0.98
