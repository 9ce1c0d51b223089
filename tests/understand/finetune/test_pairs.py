"""Pairs from behaviour, against counting by hand."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import ConfigError
from storewise.data.interactions import Interactions
from storewise.understand.finetune.pairs import bought_after, bought_together, clicked_for

events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 4)), max_size=40)


def behaviour(rows: list[tuple[int, int, int]]) -> Interactions:
    customers, products, at = np.array(rows, np.int64).reshape(-1, 3).T
    return Interactions.build(customers, products, at=at, n_customers=4, n_products=6)


@settings(max_examples=60, deadline=None)
@given(events)
def test_bought_together_counts_shared_baskets(rows: list[tuple[int, int, int]]) -> None:
    baskets: dict[tuple[int, int], set[int]] = {}
    for customer, product, at in rows:
        baskets.setdefault((customer, at), set()).add(product)
    weight: Counter[tuple[int, int]] = Counter()
    count: Counter[tuple[int, int]] = Counter()
    for held in baskets.values():
        for pair in combinations(sorted(held), 2):
            weight[pair] += 1 / (len(held) - 1)
            count[pair] += 1
    found = bought_together(behaviour(rows), weighting="count", min_baskets=2)
    expected = {pair: weight[pair] for pair, n in count.items() if n >= 2}
    pairs = list(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert dict(zip(pairs, found.weight, strict=True)) == pytest.approx(expected)
    assert (found.observed != found.observed.T).nnz == 0
    assert set(expected) == {(a, b) for a, b in zip(*found.observed.nonzero(), strict=True) if a < b}


@settings(max_examples=60, deadline=None)
@given(events)
def test_bought_after_joins_a_basket_and_the_next_of_its_customer(rows: list[tuple[int, int, int]]) -> None:
    baskets: dict[tuple[int, int], set[int]] = {}
    for customer, product, at in rows:
        baskets.setdefault((customer, at), set()).add(product)
    count: Counter[tuple[int, int]] = Counter()
    order = sorted(baskets)
    for first, second in pairwise(order):
        if first[0] == second[0]:
            count.update((min(a, b), max(a, b)) for a in baskets[first] for b in baskets[second] if a != b)
    found = bought_after(behaviour(rows), weighting="count", min_baskets=1)
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == set(count)


def test_weightings_against_their_formulas() -> None:
    rows = [(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 1, 0), (2, 2, 0)]
    w = {(0, 1): 2.0, (1, 2): 1.0}
    total = np.array([2.0, 3.0, 1.0])
    cosine = bought_together(behaviour(rows), weighting="cosine", min_baskets=1)
    pmi = bought_together(behaviour(rows), weighting="pmi", min_baskets=1)
    assert cosine.weight == pytest.approx([v / np.sqrt(total[a] * total[b]) for (a, b), v in w.items()])
    assert pmi.weight == pytest.approx([np.log(v * 6 / (total[a] * total[b])) for (a, b), v in w.items()])


def test_queries_stand_behind_the_products() -> None:
    found = clicked_for(np.array([0, 0, 1]), np.array([4, 4, 2]), n_queries=2, n_products=5)
    assert found.left.tolist() == [5, 6]
    assert found.right.tolist() == [4, 2]
    assert found.observed[4, 5] == 2 == found.observed[5, 4]


def test_a_shopper_counts_once_and_a_query_has_few_pairs() -> None:
    queries = np.array([0, 0, 0, 0, 0, 1])
    products = np.array([3, 3, 3, 1, 2, 2])
    who = np.array([7, 7, 8, 7, 7, 7])
    found = clicked_for(queries, products, n_queries=2, n_products=5, who=who, most_per_query=2)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(5, 3), (5, 1), (6, 2)]
    assert found.weight == pytest.approx([2**0.5, 1.0, 1.0])
    assert found.observed[5, 2] == 1  # left out of the pairs, never a negative


def test_an_unknown_weighting_is_refused() -> None:
    with pytest.raises(ConfigError, match="no weighting 'lift'"):
        bought_together(behaviour([(0, 0, 0), (0, 1, 0)]), weighting="lift", min_baskets=1)  # type: ignore[arg-type]


def test_nothing_gives_no_pairs() -> None:
    assert len(bought_together(behaviour([]))) == 0 == len(bought_after(behaviour([])))
