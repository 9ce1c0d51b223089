"""Pair counts against loops over sets, significance against SciPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from storewise.data.interactions import DAY_S, Interactions
from storewise.understand.graph import pairs


def shop(seed: int = 0, products: int = 9) -> Interactions:
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(25):
        for visit in range(int(rng.integers(1, 6))):
            day = float(rng.integers(0, 60))
            picked = rng.integers(0, products, int(rng.integers(1, 5))).tolist()
            start = day * DAY_S + 7_200.0 * visit
            rows += [(customer, product, start + float(rng.integers(0, 600))) for product in picked]
    who, what, at = zip(*rows, strict=True)
    return Interactions.build(who, what, at=at, n_customers=25, n_products=products)


def baskets(rows: Interactions) -> list[tuple[int, float, set[int]]]:
    """(customer, start, products), by a loop over the events."""
    found: list[tuple[int, float, set[int]]] = []
    last = (-1, 0.0)
    for who, what, at in zip(rows.customers.tolist(), rows.products.tolist(), rows.at.tolist(), strict=True):
        if who != last[0] or at - last[1] > 1_800:
            found.append((who, at, set()))
        found[-1][2].add(what)
        last = (who, at)
    return found


def test_counts_equal_loops_over_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "BLOCK", 4)  # blocks and chunks must not show
    monkeypatch.setattr(pairs, "CHUNK", 5)
    rows = shop()
    found, groups = pairs.visits(rows, 1_800, 300), baskets(rows)
    assert len(found) == len(groups)
    a, b, both = pairs.frequent_pairs(found, 1)
    counted = {(i, j): n for i, j, n in zip(a.tolist(), b.tolist(), both.tolist(), strict=True)}
    customers = pairs.shoppers_together(found, a, b)
    for place, (i, j) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        inside = [who for who, _, group in groups if {i, j} <= group]
        assert counted[i, j] == len(inside) > 0
        assert customers[place] == len(set(inside))
    missing = [p for p in itertools.combinations(range(9), 2) if p not in counted]
    assert not [p for p in missing if any(set(p) <= group for _, _, group in groups)]
    assert pairs.shared(rows.matrix.T.tocsr(), a, b).tolist() == [
        sum({i, j} <= set(rows.products[rows.customers == who].tolist()) for who in range(25))
        for i, j in zip(a.tolist(), b.tolist(), strict=True)
    ]


def test_chance_is_summed_over_periods_and_sizes() -> None:
    rows = shop(3)
    found, groups = pairs.visits(rows, 1_800, 300, period_days=20.0), baskets(rows)
    start = rows.at.min()
    for i, j in [(0, 1), (2, 7), (3, 8)]:
        by_hand = 0.0
        for period in range(4):
            inside = [group for _, at, group in groups if (at - start) // (20 * DAY_S) == period]
            lines = sum(len(group) for group in inside)
            meet = sum(len(group) * (len(group) - 1) for group in inside) / max(lines, 1) ** 2
            by_hand += sum(i in g for g in inside) * sum(j in g for g in inside) * meet
        told = pairs.expected(found, np.array([i]), np.array([j]))
        assert told[0] == pytest.approx(by_hand)


def test_chance_agrees_with_shuffled_baskets() -> None:
    """The expectation is what a shop shows whose products fall into places at random."""
    rng = np.random.default_rng(5)
    sizes = rng.zipf(2.0, 400).clip(1, 12)
    popular = rng.dirichlet(np.ones(60) * 5)
    seen, told = 0.0, 0.0
    for _ in range(20):
        what = rng.choice(60, sizes.sum(), p=popular)
        who = np.repeat(np.arange(400), sizes)
        found = pairs.visits(Interactions.build(who, what, n_customers=400, n_products=60), 0, 300)
        a, b = np.triu_indices(60, 1)
        seen += pairs.shared(found.by_product, a, b).sum()
        told += pairs.expected(found, a, b).sum()
    assert seen == pytest.approx(told, rel=0.05)


def test_baskets_of_resellers_are_left_out() -> None:
    rows = Interactions.build([0] * 5 + [1], [0, 1, 2, 3, 4, 0], n_customers=2, n_products=5)
    assert len(pairs.visits(rows, 0, 4)) == 1


def test_significance_is_benjamini_hochberg() -> None:
    g2 = np.array([40.0, 9.0, 7.0, 5.0, 4.0, 1.0, 0.0])
    p = 0.5 * stats.chi2.sf(g2, 1)
    for tests in (7, 30):
        padded = np.concatenate([p, np.ones(tests - 7)])
        wanted = stats.false_discovery_control(padded)[:7] <= 0.05
        assert pairs.significant(g2, tests, 0.05).tolist() == wanted.tolist()
    assert not pairs.significant(np.array([3.0]), 100, 0.01).any()


def test_deviance_is_twice_the_log_likelihood_ratio() -> None:
    told = pairs.deviance(np.array([9.0, 2.0]), np.array([4.0, 3.0]))
    by_hand = 2 * (stats.poisson.logpmf(9, 9) - stats.poisson.logpmf(9, 4))
    assert told.tolist() == [pytest.approx(by_hand), 0.0]


def test_best_of_either_keeps_a_pair_that_one_side_wants() -> None:
    a, b = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3])
    kept = pairs.best_of_either(a, b, np.array([5.0, 1.0, 4.0, 0.5]), 1)
    assert kept.tolist() == [True, False, True, True]  # 3 has no better partner than 2


def test_an_empty_shop() -> None:
    nothing = pairs.visits(Interactions.build([], [], n_customers=0, n_products=3), 0, 9)
    a, b, both = pairs.frequent_pairs(nothing, 1)
    assert len(a) == len(b) == len(both) == 0
    assert pairs.expected(nothing, a, b).tolist() == pairs.shoppers_together(nothing, a, b).tolist() == []
