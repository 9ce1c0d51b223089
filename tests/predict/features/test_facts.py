"""Facts of a shop against slow references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from storewise.predict.features.facts import _best


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
