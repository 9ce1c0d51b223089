"""Linear policies against ridge regression, simulation of the posterior, and a truth that is not linear."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from storewise.core.errors import DataError, MissingExtra
from storewise.explore.base import Context, Logged
from storewise.explore.linear_thompson import LinearThompson, LinearThompsonConfig
from storewise.explore.linucb import LinUcb, LinUcbConfig
from storewise.explore.neural_linear import NeuralLinear, NeuralLinearConfig
from storewise.testing.policy import check_policy


def log(n=300, seed=0, width=3):
    rng = np.random.default_rng(seed)
    x, arms = rng.normal(size=(n, width)), rng.integers(0, 2, n)
    theta = np.array([[0.5, -0.2, 0.1], [-0.4, 0.3, 0.0]])[:, :width]
    return Logged.of(arms=arms, rewards=(x * theta[arms]).sum(1) + rng.normal(0, 0.1, n), features=x)


def test_coefficients_are_those_of_ridge_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    data, policy = log(), LinUcb(LinUcbConfig(intercept=False, regularization=2.0))
    for part in np.array_split(np.arange(300), 7):
        policy.update(data.part(part))
    theta, inverse = policy.solved(np.array([0, 1]), 3)
    for arm in (0, 1):
        rows = data.arms[:, 0] == arm
        x, y = data.features[rows, 0], data.rewards[rows, 0]
        expected = linear_model.Ridge(alpha=2.0, fit_intercept=False).fit(x, y).coef_
        np.testing.assert_allclose(theta[arm], expected, atol=1e-9)
        np.testing.assert_allclose(inverse[arm], np.linalg.inv(x.T @ x + 2 * np.eye(3)), atol=1e-12)


def test_shared_coefficients_pool_all_arms():
    data = log()
    policy = LinUcb(LinUcbConfig(intercept=False, shared=True))
    policy.update(data)
    x, y = data.features[:, 0], data.rewards[:, 0]
    theta, _ = policy.solved(np.array([5]), 3)
    np.testing.assert_allclose(theta[0], np.linalg.solve(x.T @ x + np.eye(3), x.T @ y), atol=1e-9)


def test_propensities_are_what_the_posterior_says():
    policy = LinearThompson(LinearThompsonConfig(noise=1.0))
    policy.update(log(12))
    context = Context.of([0, 1, 2], features=np.random.default_rng(1).normal(size=(3, 3)))
    theta, inverse = policy.solved(context.arms, 4)
    rng, x = np.random.default_rng(2), policy.transform(context.features)
    draws = np.stack([rng.multivariate_normal(theta[a], inverse[a], 60_000) @ x[a] for a in range(3)], axis=1)
    shares = np.bincount(draws.argmax(axis=1), minlength=3) / 60_000
    np.testing.assert_allclose(policy.order(context).marginals[:, 0], shares, atol=0.01)


@pytest.mark.parametrize("kind", [LinUcb, LinearThompson, NeuralLinear])
def test_shared_coefficients_keep_the_contract(kind):
    check_policy(lambda: kind(kind.Config(shared=True, epsilon=0.1)))


@pytest.mark.parametrize("kind", [LinUcb, LinearThompson, NeuralLinear])
def test_other_features_than_before_are_refused(kind):
    policy = kind()
    policy.update(log())
    if kind is NeuralLinear:
        return  # random features of any width have the same number of units
    with pytest.raises(DataError, match=r"The features have 2 columns .* learnt from 4"):
        policy.decide(Context.of([0], features=[[1.0]]), np.random.default_rng(0))


def _bent(n, seed):
    """Rewards that are no linear function: the sign of a product decides which arm is right."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    arms = rng.integers(0, 2, n)
    right = (x[:, 0] * x[:, 1] > 0).astype(int)
    return Logged.of(arms=arms, rewards=(arms == right).astype(float), features=x), right


def _right(policy, n=400):
    data, right = _bent(n, 99)
    features = np.repeat(data.features, 2, axis=1)
    return np.mean(policy.choices(np.array([0, 1]), features, np.random.default_rng(0)) == right)


def test_random_features_learn_what_a_line_cannot():
    data, _ = _bent(3_000, 0)
    bent, straight = NeuralLinear(NeuralLinearConfig(units=128, noise=0.05)), LinearThompson()
    for policy in (bent, straight):
        policy.update(data)
    assert _right(bent) > 0.85
    assert _right(straight) < 0.65


def test_trained_features_need_fewer_units():
    pytest.importorskip("torch", reason="needs the extra deep")
    data, _ = _bent(3_000, 0)
    settings = NeuralLinearConfig(units=12, noise=0.02, epochs=25)
    trained, drawn = NeuralLinear(settings), NeuralLinear(settings)
    trained.train_features(data, rng=np.random.default_rng(0))
    drawn.update(data)
    assert _right(trained) > max(_right(drawn), 0.85)
    again = NeuralLinear(settings)
    again.restore(trained.state())
    context = Context.of([0, 1], features=[[0.3, -0.2], [0.3, -0.2]])
    np.testing.assert_array_equal(again.order(context).marginals, trained.order(context).marginals)


def test_training_without_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"storewise\[deep\]"):
        NeuralLinear().train_features(_bent(10, 0)[0], rng=np.random.default_rng(0))
