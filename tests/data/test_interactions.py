"""Interactions and histories against slow, obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories, Interactions

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 9)), max_size=40)


def build(rows: list[tuple[int, int, int]]) -> Interactions:
    c, p, t = (np.array([r[i] for r in rows]) for i in range(3))
    return Interactions.build(c, p, at=t, n_customers=5, n_products=7)


@given(ROWS)
def test_matrices_count_as_a_loop_does(rows: list[tuple[int, int, int]]) -> None:
    found = build(rows)
    counts = np.zeros((5, 7))
    for c, p, _ in rows:
        counts[c, p] += 1
    np.testing.assert_array_equal(found.counts.toarray(), counts)
    np.testing.assert_array_equal(found.matrix.toarray(), counts > 0)
    np.testing.assert_array_equal(found.popularity, (counts > 0).sum(0))


@given(ROWS, st.lists(st.integers(0, 4), max_size=6))
def test_histories_are_each_customers_own_rows_in_time_order(
    rows: list[tuple[int, int, int]], asked: list[int]
) -> None:
    found = build(rows).histories(asked)
    for row, customer in enumerate(asked):
        mine = slice(found.indptr[row], found.indptr[row + 1])
        expected = sorted((r for r in rows if r[0] == customer), key=lambda r: r[2])
        assert found.at[mine].tolist() == [r[2] for r in expected]
        assert sorted(found.products[mine].tolist()) == sorted(r[1] for r in expected)
        assert found.recency[mine].tolist() == list(range(len(expected)))[::-1]
    joined = [product for batch in found.batches(2) for product in batch.products.tolist()]
    assert joined == found.products.tolist()


def test_single_history_is_a_batch_of_one() -> None:
    one = Histories.single([3, 1, 3], n_products=5)
    assert len(one) == 1
    assert one.customers.tolist() == [-1]
    assert one.matrix().toarray().tolist() == [[0, 1, 0, 1, 0]]
    empty = Histories.single([], n_products=5)
    assert empty.matrix().nnz == 0


@pytest.mark.parametrize(("customer", "product"), [(5, 0), (-1, 0), (0, 7), (0, -1)])
def test_an_index_outside_is_an_error(customer: int, product: int) -> None:
    with pytest.raises(DataError, match="index is"):
        Interactions.build([customer], [product], n_customers=5, n_products=7)


def test_lengths_must_agree() -> None:
    with pytest.raises(DataError, match="differ in length: 2, 1"):
        Interactions.build([0, 1], [0], n_customers=5, n_products=7)


@given(ROWS, st.integers(0, 10))
def test_until_keeps_what_came_before(rows: list[tuple[int, int, int]], moment: int) -> None:
    shop = Dataset.from_interactions(build(rows))
    assert len(shop.until(moment).interactions) == sum(r[2] < moment for r in rows)
    assert len(shop.interactions) == len(rows)
