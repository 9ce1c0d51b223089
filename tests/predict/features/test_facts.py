"""Facts of a shop against slow references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.predict.features.events import DAY_S, EventLog
from storewise.predict.features.together import _best, together


@pytest.mark.parametrize("k", [1, 4, 50])
def test_the_best_neighbours_are_those_of_a_full_sort(k: int) -> None:
    rng = np.random.default_rng(k)
    values = rng.integers(0, 4, (30, 40)).astype(np.float32)  # many ties, rows of every length
    found = _best(sparse.csr_matrix(values), k).toarray()
    expected = np.zeros_like(values)
    for row, line in enumerate(values):
        places = sorted(np.flatnonzero(line), key=lambda place: (-line[place], place))[:k]
        expected[row, places] = line[places]
    assert np.array_equal(found, expected)


def test_products_bought_together_against_sets_of_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    n = 900
    log = EventLog.build(
        rng.integers(0, 12, n), rng.zipf(1.4, n) % 30, rng.integers(0, 60, n) * DAY_S, n_customers=12, n_products=30
    )  # fmt: skip
    orders = log.trails(np.arange(12), 1e9).orders
    lines = orders.lines_of
    baskets = [set(lines.products[orders.line_order == order].tolist()) for order in range(len(orders.at))]
    wanted = np.zeros((30, 30), np.float32)
    for left in range(30):
        for right in range(30):
            both = sum(left in one and right in one for one in baskets)
            sizes = [sum(product in one for one in baskets) for product in (left, right)]
            if left != right and both >= 2:
                wanted[left, right] = both / np.sqrt(np.float32(sizes[0] * sizes[1]))
    monkeypatch.setattr("storewise.predict.features.together.BLOCK", 7)  # blocks that do not fit
    np.testing.assert_allclose(together(orders, 30, 30).toarray(), wanted, rtol=1e-5)
