from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.errors import ConfigError, DataError
from storewise.data import split
from storewise.data.interactions import Interactions

rows = st.lists(st.integers(0, 6), min_size=0, max_size=60)


@given(products=rows, seed=st.integers(0, 5))
def test_per_item_takes_the_rounded_share_of_each_product(products: list[int], seed: int) -> None:
    codes = split.per_item(products, seed=seed)
    assert set(codes.tolist()) <= {split.TRAIN, split.TEST}
    for product in set(products):
        mine = codes[np.asarray(products) == product]
        assert (mine == split.TRAIN).sum() == round(0.75 * len(mine))


def test_per_item_is_the_published_procedure() -> None:
    """Against a transcription of the definition, product by product."""
    products = np.random.default_rng(0).integers(0, 40, 3000)
    expected = np.full(3000, split.TEST)
    for product in sorted(set(products.tolist())):
        mine = [row for row in range(3000) if products[row] == product]
        permutation = np.random.RandomState(42).permutation(len(mine))
        for place in permutation[: round(0.75 * len(mine))]:
            expected[mine[place]] = split.TRAIN
    assert (split.per_item(products) == expected).all()


@given(n=st.integers(2, 200), folds=st.integers(2, 9), seed=st.integers(0, 5))
def test_folds_are_disjoint_complete_and_even(n: int, folds: int, seed: int) -> None:
    if folds > n:
        with pytest.raises(ConfigError, match="folds"):
            split.k_fold(n, folds, seed=seed)
        return
    codes = split.k_fold(n, folds, seed=seed)
    sizes = np.bincount(codes, minlength=folds)
    assert sizes.sum() == n
    assert sizes.max() - sizes.min() <= 1


@given(customers=rows, seed=st.integers(0, 5))
def test_per_user_gives_every_customer_the_shares(customers: list[int], seed: int) -> None:
    codes = split.per_user(customers, (0.8, 0.1, 0.1), seed=seed)
    for customer in set(customers):
        sizes = np.bincount(codes[np.asarray(customers) == customer], minlength=3)
        n = sizes.sum()
        assert sizes[2] == (0 if n == 1 else max(1, n // 10))
        assert sizes[1] == (0 if n <= 2 else max(1, n // 10))
        assert sizes[0] >= 1


def test_per_user_depends_on_the_seed_and_not_on_the_row() -> None:
    customers = np.repeat(np.arange(200), 10)
    codes = split.per_user(customers, (0.8, 0.1, 0.1), seed=1)
    assert (codes == split.per_user(customers, (0.8, 0.1, 0.1), seed=1)).all()
    assert (codes != split.per_user(customers, (0.8, 0.1, 0.1), seed=2)).any()
    by_place = (codes.reshape(200, 10) == split.TEST).sum(axis=0)
    assert by_place.min() > 5  # every place of the row is tested for somebody


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(ConfigError, match="sum to 1"):
        split.per_user([0, 0], (0.8, 0.1), seed=1)


@settings(max_examples=50)
@given(customers=rows)
def test_leave_last_takes_the_latest(customers: list[int]) -> None:
    at = np.random.default_rng(len(customers)).permutation(len(customers)).astype(float)
    behaviour = Interactions.build(customers, customers, at=at, n_customers=7, n_products=7)
    codes = split.leave_last(behaviour)
    assert len(codes) == len(customers)
    for customer in range(7):
        mine = codes[behaviour.customers == customer].tolist()
        ends = {0: [], 1: [0], 2: [0, 2]}.get(len(mine), [0] * (len(mine) - 2) + [1, 2])
        assert mine == ends


def test_time_windows_at_their_borders() -> None:
    day = split.DAY
    windows = split.by_time([0.0, 100 * day])
    assert (windows.validation_from, windows.test_from, windows.end) == (44 * day, 72 * day, 100 * day)
    at = np.array([0, 44 * day - 1, 44 * day, 72 * day - 1, 72 * day, 100 * day])
    assert windows.codes(at).tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(DataError, match="after the end"):
        windows.codes([100 * day + 1])


def test_too_short_a_history_says_so() -> None:
    with pytest.raises(DataError, match=r"span 10\.0 days.*last 56"):
        split.by_time([0.0, 10 * split.DAY])
    with pytest.raises(DataError, match=r"span 0\.0 days"):
        split.by_time([])
