"""The n best, against a full sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storewise.recommend.retrieve.base import top_n

SCORE = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])


@given(st.lists(st.tuples(SCORE, st.booleans()), max_size=30), st.integers(0, 35))
def test_same_as_a_full_sort(rows: list[tuple[float, bool]], n: int) -> None:
    scores = np.array([r[0] for r in rows], np.float32)
    eligible = np.array([r[1] for r in rows], bool)
    ranked = sorted(
        (i for i in range(len(rows)) if eligible[i] and scores[i] > -np.inf), key=lambda i: -scores[i]
    )
    found = top_n(scores, n, eligible=eligible)
    assert found.products.tolist() == ranked[:n]
    np.testing.assert_array_equal(found.scores, scores[ranked[:n]])
