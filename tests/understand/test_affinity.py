"""Scores of candidates against a slow reading of the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.data.interactions import DAY_S, Interactions
from storewise.understand.affinity import AffinityConfig, affinity, centre, choices
from storewise.understand.base import unit

N = 7
BEHAVIOUR = Interactions.build(
    [0, 0, 0, 1, 1, 2, 2, 2, 2],
    [0, 1, 1, 2, 0, 3, 1, 0, 4],
    at=np.array([1, 2, 9, 4, 5, 3, 3, 8, 9]) * DAY_S,
    n_customers=4,
    n_products=N,
)
VECTORS = unit(np.random.default_rng(0).normal(size=(N, 5)))
CANDIDATES = np.array([5, 6])


def slow(customer: int, candidate: int, config: AffinityConfig) -> float:
    counts = BEHAVIOUR.popularity
    v = centre(VECTORS, np.flatnonzero(counts > 0)) if config.centred else VECTORS
    mine = BEHAVIOUR.customers == customer
    products, at = BEHAVIOUR.products[mine], BEHAVIOUR.at[mine]
    if not len(products):
        return 0.0
    different = np.unique(products)
    similar = v[different] @ v[candidate]
    if config.pooling == "top":
        return float(np.sort(similar)[::-1][: config.nearest].mean())
    if config.pooling == "soft":
        t = config.temperature
        return float(np.log(np.mean(np.exp((similar - 1) / t))))
    weight = {
        "mean": lambda p: (products == p).sum(),
        "distinct": lambda p: 1.0,
        "recent": lambda p: (0.5 ** ((10 - at[products == p] / DAY_S) / config.half_life_days)).sum(),
        "rare": lambda p: counts[p] ** -0.5,
    }[config.pooling]
    w = np.array([weight(p) for p in different], float)
    return float(w @ similar / w.sum())


@pytest.mark.parametrize(
    "config",
    [
        *choices(),
        AffinityConfig(pooling="top", nearest=2),
        AffinityConfig(pooling="recent", half_life_days=2.0),
    ],
    ids=lambda c: f"{c.pooling}-{c.centred}-{c.nearest}-{c.temperature}-{c.half_life_days}",
)
def test_every_pooling_is_its_formula(config: AffinityConfig) -> None:
    histories = BEHAVIOUR.histories([0, 1, 2, 3], now=10 * DAY_S)
    found = affinity(VECTORS, histories, CANDIDATES, config, customers_of=BEHAVIOUR.popularity)
    expected = [[slow(customer, c, config) for c in CANDIDATES] for customer in range(4)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_product_without_text_is_like_nothing() -> None:
    vectors = VECTORS.copy()
    vectors[5] = 0
    histories = BEHAVIOUR.histories([0], now=10 * DAY_S)
    assert affinity(vectors, histories, [5], AffinityConfig(centred=True))[0, 0] == 0.0
