"""The graph filter against its dense formula, and what its parts are for."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.retrieve.graph_filter import GraphFilter, GraphFilterConfig
from storewise.recommend.retrieve.item_knn import ItemKnn, ItemKnnConfig
from storewise.testing.retriever import shop


def trained(data, **config):
    model = GraphFilter(GraphFilterConfig(rounds=20, **config))
    model.train(data, rng=np.random.default_rng(0))
    return model


def dense(data, *, customer_power, source_power, target_power, smooth, sharpness, size):
    """The formula of the docstring, word for word."""
    x = data.interactions.matrix.toarray().astype(np.float64)
    n, m = np.maximum(x.sum(axis=0), 1), np.maximum(x.sum(axis=1), 1)
    a = x * m[:, None] ** (-0.5 * customer_power)
    g = (a.T @ a) / np.sqrt(n[:, None] * n)
    values, vectors = np.linalg.eigh(g)
    order = np.argsort(-values)[:size]
    values, vectors = values[order], vectors[:, order]
    near = (g - np.diag(np.diag(g))) / values[0]
    low = vectors * (np.maximum(values, 0) / values[0]) ** sharpness @ vectors.T
    return n[:, None] ** (0.5 - source_power) * (near + smooth * low) * n ** (0.5 - target_power)


@pytest.mark.parametrize(
    ("customer_power", "source_power", "target_power", "smooth", "sharpness", "size"),
    [(0.5, 0.5, 0.5, 0.3, 0.5, 5), (1.0, 0.8, 0.3, 2.0, 1.0, 20), (0.0, 0.2, 0.6, 0.0, 0.0, 3)],
)
def test_scores_are_the_formula(customer_power, source_power, target_power, smooth, sharpness, size):
    data = shop(0)
    config = {
        "customer_power": customer_power, "source_power": source_power, "target_power": target_power,
        "smooth": smooth, "sharpness": sharpness,
    }  # fmt: skip
    found = trained(data, embedding_size=size, **config).scores(data.histories(np.arange(data.n_customers)))
    told = dense(data, size=size, **config)
    wanted = data.interactions.matrix.toarray() @ told
    real = np.isfinite(found)
    assert (real[:-1].sum(axis=1) == 39).all()  # the product that nobody has had cannot be said anything of
    # A repeated product counts once for each event.
    wanted = data.histories(np.arange(data.n_customers)).matrix(np.ones(len(data.interactions))) @ told
    np.testing.assert_allclose(found[real], wanted[real], rtol=2e-3, atol=2e-3 * np.abs(wanted).max())


def test_the_smooth_part_reaches_beyond_neighbours():
    """0 and 2 have no customer in common, but both have customers with 1."""
    data = Dataset.of([0, 0, 1, 1, 2, 2, 3], [0, 1, 1, 2, 3, 4, 3], n_customers=4, n_products=5)
    asked = Histories.single([0], n_products=5)
    near, far = (trained(data, smooth=s, embedding_size=2).scores(asked)[0] for s in (0.0, 1.0))
    assert near[2] == near[3] == 0
    assert far[2] > far[3] + 0.01


def test_without_the_smooth_part_it_is_item_neighbourhood():
    data = shop(1)
    powers = {"source_power": 0.8, "target_power": 0.3, "shrinkage": 5.0}
    near = trained(data, smooth=0.0, customer_power=0.4, **powers)
    same = ItemKnn(ItemKnnConfig(activity=0.4, **powers))
    same.train(data, rng=np.random.default_rng(0))
    asked = data.histories(np.arange(20))
    found, wanted = near.scores(asked), same.scores(asked)
    known = np.isfinite(wanted)
    scale = found[known].max() / wanted[known].max()
    np.testing.assert_allclose(found[known], scale * wanted[known], rtol=1e-4)


def test_a_larger_target_power_favours_rare_products():
    data = shop(0)
    counts = np.maximum(data.interactions.popularity, 1)
    asked = data.histories([0, 1, 2])
    listed = []
    for power in (0.1, 0.9):
        scores = trained(data, target_power=power).scores(asked)
        listed.append(counts[np.argsort(-scores, axis=1)[:, :8]].mean())
    assert listed[1] < listed[0]


@pytest.mark.parametrize("who", [[], [0]])
def test_too_little_to_learn_from(who):
    data = Dataset.of(who, [1] * len(who), n_customers=1, n_products=3)
    scores = trained(data).scores(data.histories([0]))
    assert not np.isnan(scores).any()
