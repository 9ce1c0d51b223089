"""Rating predictors against slow, plain versions of the same formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.recommend.ratings.blend import Blend, BlendConfig
from storewise.recommend.ratings.factorisation_als import Side, expected_error
from storewise.recommend.ratings.factorisation_sgd import SgdConfig, _Trainer
from storewise.recommend.ratings.implicit_prior import ImplicitPrior
from storewise.recommend.ratings.interval import Margins, signed_quantiles
from storewise.recommend.ratings.means import Means
from storewise.recommend.ratings.neighbourhood import (
    ItemNeighbourhood,
    NeighbourhoodConfig,
    UserNeighbourhood,
    UserNeighbourhoodConfig,
)
from storewise.recommend.ratings.table import Ratings


@pytest.fixture
def table() -> Ratings:
    rng = np.random.default_rng(0)
    who, what = np.nonzero(rng.random((14, 9)) < 0.5)
    return Ratings.build(who, what, rng.integers(1, 6, len(who)), n_customers=15, n_products=10)


def test_last_rating_of_a_pair_counts():
    table = Ratings.build([0, 1, 0], [0, 0, 0], [1, 4, 5], n_customers=2, n_products=1)
    assert table.values.tolist() == [5.0, 4.0]


def test_means_are_the_ridge_solution(table):
    """Fixed point of the sweeps = argmin Σ (r - μ - b - c)² + s (Σ b² + Σ c²), solved densely."""
    means = Means.fit(table, shrinkage=3.0, sweeps=500)
    n = 25
    design = np.zeros((len(table), n))
    design[np.arange(len(table)), table.customers] = 1
    design[np.arange(len(table)), 15 + table.products] = 1
    expected = np.linalg.solve(design.T @ design + 3 * np.eye(n), design.T @ (table.values - table.mean))
    np.testing.assert_allclose(np.r_[means.customer, means.product], expected, atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (ItemNeighbourhood, NeighbourhoodConfig(neighbours=3, similarity_shrinkage=2.0, damping=0.1)),
        (UserNeighbourhood, UserNeighbourhoodConfig(neighbours=4, similarity_shrinkage=2.0, damping=0.1)),
    ],
)
def test_neighbourhood_by_loops(table, kind, config):
    model = kind(config)
    model.train_on(table, rng=np.random.default_rng(0))
    means = Means.fit(table, shrinkage=config.shrinkage)
    residual = {
        (int(u), int(i)): e
        for u, i, e in zip(table.customers, table.products, means.residuals(table), strict=True)
    }
    if kind is UserNeighbourhood:
        residual = {(i, u): e for (u, i), e in residual.items()}
    others, entities = (15, 10) if kind is ItemNeighbourhood else (10, 15)

    def similarity(i: int, j: int) -> float:
        common = [u for u in range(others) if (u, i) in residual and (u, j) in residual]
        if not common or i == j:
            return 0.0
        a, b = (np.array([residual[u, x] for u in common]) for x in (i, j))
        found = a @ b / np.sqrt((a @ a) * (b @ b)) * len(common) / (len(common) + 2.0)
        return max(found, 0.0) ** config.power

    for u, i in [(0, 0), (3, 5), (7, 2), (13, 8)]:
        customer, product = (u, i)
        who, target = (u, i) if kind is ItemNeighbourhood else (i, u)
        ranked = sorted(range(entities), key=lambda j: -similarity(target, j))[: config.neighbours]
        used = [j for j in ranked if (who, j) in residual]
        total = sum(similarity(target, j) * residual[who, j] for j in used)
        weight = sum(similarity(target, j) for j in used)
        expected = means.at(np.array([customer]), np.array([product]))[0] + total / (weight + 0.1)
        found = model.estimate(np.array([customer]), np.array([product]))[0]
        assert found == pytest.approx(expected, abs=1e-9)


def test_implicit_prior_is_dense_ridge():
    rng = np.random.default_rng(0)
    rated = sparse.csr_matrix((rng.random((30, 12)) < 0.3).astype(float))
    features = rated.toarray() / np.sqrt(np.maximum(rated.sum(axis=1), 1.0))
    features, targets = np.asarray(features), rng.normal(size=(30, 4))
    weights = np.linalg.solve(features.T @ features + 0.7 * np.eye(12), features.T @ targets)
    prior = ImplicitPrior(rated, strength=0.7)
    for _ in range(2):  # the second time from a warm start
        found = prior.smooth(targets, iterations=100, tolerance=1e-9)
        np.testing.assert_allclose(found, features @ weights, atol=1e-6)


def _sides(table: Ratings) -> tuple[Side, Side, np.random.Generator]:
    rng = np.random.default_rng(1)
    sides = []
    for n in (table.n_customers, table.n_products):
        side = Side.start(rng.normal(size=n), 2, rng)
        root = rng.normal(size=(n, 3, 3))
        side.covariance = 0.3 * root @ root.transpose(0, 2, 1)
        side.mean = rng.normal(size=(n, 3))
        sides.append(side)
    return sides[0], sides[1], rng


def test_als_step_is_the_expected_regression(table):
    """The posterior of one customer = regression averaged over draws of the products' vectors."""
    customers, products, rng = _sides(table)
    centred = table.values - 3.0
    customers.update(table.matrix(), table.matrix(centred), products, 0.8)
    u = int(table.customers[0])
    rows = np.flatnonzero(table.customers == u)
    draws = 200_000
    precision, linear = 10.0 * np.eye(3), np.zeros(3)
    for row in rows:
        i = table.products[row]
        q = rng.multivariate_normal(products.mean[i], products.covariance[i], draws)
        x = np.column_stack([q[:, :2], np.ones(draws)])
        precision += x.T @ x / draws / 0.8
        linear += x.T @ (centred[row] - q[:, 2]) / draws / 0.8
    np.testing.assert_allclose(np.linalg.inv(customers.covariance[u]), precision, rtol=0.03, atol=0.05)
    np.testing.assert_allclose(customers.mean[u], np.linalg.solve(precision, linear), atol=0.02)


def test_expected_error_by_drawing(table):
    customers, products, rng = _sides(table)
    centred = table.values - 3.0
    total, draws = 0.0, 40_000
    for u, i, value in zip(table.customers, table.products, centred, strict=True):
        p = rng.multivariate_normal(customers.mean[u], customers.covariance[u], draws)
        q = rng.multivariate_normal(products.mean[i], products.covariance[i], draws)
        total += np.mean((value - p[:, 2] - q[:, 2] - (p[:, :2] * q[:, :2]).sum(axis=1)) ** 2)
    found = expected_error(table.matrix(), table, centred, customers, products)
    assert found == pytest.approx(total / len(table), rel=0.02)


def test_sgd_step_follows_the_gradient(table):
    """A tiny step moves every parameter along minus half the numeric gradient of the penalised loss."""
    rate, config = 1e-6, SgdConfig(embedding_size=2, learning_rate=1e-6, regularization=0.3, batch=10_000)
    means = Means.fit(table)
    trainer = _Trainer(config, table, means, 1.0, np.random.default_rng(0))
    f = trainer.factors
    names = ("p", "q", "y", "customer_bias", "product_bias")
    before = {name: getattr(f, name).copy() for name in names}
    sets = [np.flatnonzero(table.matrix()[u].toarray().ravel()) for u in range(15)]

    def loss(at: dict[str, np.ndarray]) -> float:
        total = 0.3 * len(table) / table.n_products * (at["y"] ** 2).sum()
        for u, i, value in zip(table.customers, table.products, table.values, strict=True):
            vector = at["p"][u] + at["y"][sets[u]].sum(axis=0) / np.sqrt(len(sets[u]))
            error = (
                value - means.overall - at["customer_bias"][u] - at["product_bias"][i] - vector @ at["q"][i]
            )
            own = at["customer_bias"][u] ** 2 + at["product_bias"][i] ** 2
            total += error**2 + 0.3 * (own + (at["p"][u] ** 2).sum() + (at["q"][i] ** 2).sum())
        return float(total)

    trainer.epoch()
    for name, index in [
        ("p", (2, 1)),
        ("q", (3, 0)),
        ("y", (4, 1)),
        ("customer_bias", 5),
        ("product_bias", 6),
    ]:
        up = {key: array.copy() for key, array in before.items()}
        down = {key: array.copy() for key, array in before.items()}
        up[name][index] += 1e-5
        down[name][index] -= 1e-5
        gradient = (loss(up) - loss(down)) / 2e-5
        moved = (getattr(f, name)[index] - before[name][index]) / rate
        assert moved == pytest.approx(-gradient / 2, rel=1e-3, abs=1e-4), name


def test_signed_quantiles_are_order_statistics():
    residuals = np.random.default_rng(0).normal(size=99)
    low, high = signed_quantiles(residuals, 0.9)
    assert (low, high) == (np.sort(residuals)[4], np.sort(residuals)[94])


def test_margins_follow_their_group():
    rng = np.random.default_rng(0)
    support = np.repeat([1.0, 2.0, 4.0, 8.0], 500)
    margins = Margins.fit(rng.normal(size=2000) / support, support, coverage=0.8)
    low, high = margins.around(np.zeros(4), np.array([1.0, 2.0, 4.0, 8.0]))
    np.testing.assert_allclose(high, 1.2816 / np.array([1, 2, 4, 8]), rtol=0.2)
    np.testing.assert_allclose(low, -high, rtol=0.3)


def test_blend_weights_are_found_again():
    """Target = 0.7 first + 0.2 second - 0.3 third: the negative part is left out."""
    rng = np.random.default_rng(0)
    gains = rng.normal(size=(20_000, 3))
    target = gains @ [0.7, 0.2, -0.3] + rng.normal(size=20_000)
    found = Blend(BlendConfig(parts=("item_neighbourhood",)))._solve(gains, target)
    np.testing.assert_allclose(found, [0.7, 0.2, 0.0], atol=0.03)


def test_prior_keeps_weights_small_where_ratings_are_few():
    """Five ratings and parts that know nothing."""

    def typical(prior: float) -> float:
        rng = np.random.default_rng(0)
        blend = Blend(BlendConfig(prior_ratings=prior))
        return float(
            np.mean([blend._solve(rng.normal(size=(5, 4)), rng.normal(size=5)).max() for _ in range(50)])
        )

    assert typical(20.0) < 0.15 < 0.4 < typical(0.0)
