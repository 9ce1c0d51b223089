"""Related products against sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from storewise.data.interactions import Interactions
from storewise.recommend import related
from storewise.recommend.related import baskets, bought_together, similar


def shop(seed: int = 0) -> Interactions:
    """30 customers, 12 products, baskets an hour apart; products 0 and 1 often together."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(30):
        for visit in range(4):
            picked = set(rng.integers(0, 12, 3).tolist()) | ({0, 1} if rng.random() < 0.4 else set())
            rows += [(customer, product, 3600.0 * visit + 10 * i) for i, product in enumerate(sorted(picked))]
    who, what, at = zip(*rows, strict=True)
    return Interactions.build(who, what, at=at, n_customers=30, n_products=12)


def table(found: related.Related) -> dict[tuple[int, int], tuple[float, int, float]]:
    return {
        (i, int(found.products[k])): (float(found.scores[k]), int(found.support[k]), float(found.lift[k]))
        for i in range(12)
        for k in range(found.indptr[i], found.indptr[i + 1])
    }


def sets_by(rows: Interactions, *, basket: bool) -> list[set[int]]:
    keys = zip(rows.customers.tolist(), (rows.at // 3600 if basket else rows.at * 0).tolist(), strict=True)
    groups: dict[tuple[float, ...], set[int]] = {}
    for key, product in zip(keys, rows.products.tolist(), strict=True):
        groups.setdefault(key, set()).add(product)
    return list(groups.values())


def test_similar_is_the_cosine_over_customers() -> None:
    rows = shop()
    found, groups = table(similar(rows)), sets_by(rows, basket=False)
    for i in range(12):
        for j in range(12):
            both = sum({i, j} <= group for group in groups)
            if i == j or both < 2:
                assert (i, j) not in found
                continue
            expected = both / np.sqrt(sum(i in g for g in groups) * sum(j in g for g in groups))
            assert found[i, j][0] == pytest.approx(expected, rel=1e-5)
            assert found[i, j][1] == both


def test_bought_together_is_local_mutual_information_over_baskets() -> None:
    rows = shop()
    found, groups = table(bought_together(rows)), sets_by(rows, basket=True)
    checked = 0
    for i in range(12):
        for j in range(12):
            both = sum({i, j} <= group for group in groups)
            chance = sum(i in g for g in groups) * sum(j in g for g in groups) / len(groups)
            lift = (both + 5) / (chance + 5)
            if i == j or both < 3 or lift <= 1:
                assert (i, j) not in found
                continue
            checked += 1
            assert found[i, j] == (
                pytest.approx(both * np.log(lift), rel=1e-4),
                both,
                pytest.approx(lift, rel=1e-5),
            )
    assert checked > 10
    best = bought_together(rows)
    assert best.products[best.of(0)][0] == 1


def test_neighbours_fall_in_score_and_stop_at_k(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = shop()
    whole = similar(rows, k=50)
    few = similar(rows, k=3)
    for i in range(12):
        assert (np.diff(whole.scores[whole.of(i)]) <= 0).all()
        assert few.products[few.of(i)].tolist() == whole.products[whole.of(i)][:3].tolist()
    monkeypatch.setattr(related, "BLOCK", 5)  # blocks must not show
    again = similar(rows, k=50)
    assert all(np.array_equal(a, b) for a, b in zip(vars(whole).values(), vars(again).values(), strict=True))


def test_baskets_end_at_a_gap_at_a_customer_and_at_resellers() -> None:
    rows = Interactions.build(
        [0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 3, 4, 5], at=[0, 1800, 3601, 3601, 3601, 3602, 3603],
        n_customers=2, n_products=6,
    )  # fmt: skip
    assert [sorted(row.indices.tolist()) for row in baskets(rows)] == [[0, 1], [2], [3, 4, 5]]
    assert [sorted(row.indices.tolist()) for row in baskets(rows, max_lines=2)] == [[0, 1], [2]]


def test_an_empty_shop_has_no_neighbours() -> None:
    nothing = Interactions.build([], [], n_customers=0, n_products=3)
    for found in (similar(nothing), bought_together(nothing)):
        assert found.indptr.tolist() == [0, 0, 0, 0]
        assert len(found.products) == 0
