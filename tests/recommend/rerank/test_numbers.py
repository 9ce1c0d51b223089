"""Numeric cores against slow references."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.core.config import parse
from storewise.core.errors import ConfigError
from storewise.recommend.rerank.calibrated import Calibrated, CalibratedConfig, divergence
from storewise.recommend.rerank.dpp import Dpp, DppConfig, greedy
from storewise.recommend.rerank.likeness import likeness, relevance
from storewise.recommend.rerank.mmr import Mmr, MmrConfig
from storewise.recommend.rerank.place import Place, PlaceConfig
from storewise.testing.reranker import a_list, a_request, shelf


def slow_greedy(kernel: np.ndarray, n: int) -> list[int]:
    chosen: list[int] = []
    for _ in range(n):
        best, value = -1, -np.inf
        for row in range(len(kernel)):
            if row not in chosen:
                part = [*chosen, row]
                sign, found = np.linalg.slogdet(kernel[np.ix_(part, part)])
                if sign > 0 and found > value:
                    best, value = row, found
        if best < 0:
            break
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("seed", range(8))
def test_dpp_is_the_greedy_one_by_determinants(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(9, 12))
    kernel = factors @ factors.T
    assert greedy(kernel, 6) == slow_greedy(kernel, 6)


@pytest.mark.parametrize("seed", range(5))
def test_dpp_comes_near_the_best_of_all_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(8, 10))
    kernel = factors @ factors.T
    best = max(np.linalg.slogdet(kernel[np.ix_(s, s)])[1] for s in itertools.combinations(range(8), 3))
    found = greedy(kernel, 3)
    # Submodular: greedy has at least 1 - 1/e of the best gain where all gains are positive (Nemhauser 1978).
    assert np.linalg.slogdet(kernel[np.ix_(found, found)])[1] >= (1 - np.exp(-1)) * best


def test_dpp_stops_where_nothing_is_new() -> None:
    assert greedy(np.ones((4, 4)), 3) == [0]
    model = Dpp(DppConfig(relevance=0.0))
    model.stock(shelf())
    assert len(model(a_request(), a_list(), 12)) == 12


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), weight=st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_mmr_is_its_formula(seed: int, weight: float) -> None:
    model = Mmr(MmrConfig(diversity=weight))
    model.stock(shelf(seed))
    items = a_list(seed, 12)
    alike, wanted = likeness(shelf(seed), items.products), relevance(items.scores)
    chosen: list[int] = []
    for _ in range(6):
        worth = {
            i: (1 - weight) * wanted[i] - weight * max((alike[i, j] for j in chosen), default=0.0)
            for i in range(12)
            if i not in chosen
        }
        chosen.append(min(worth, key=lambda i: (-worth[i], i)))
    assert model(a_request(), items, 6).products.tolist() == items.products[chosen].tolist()
    if weight == 0:
        assert chosen == list(range(6))


def test_likeness_is_a_kernel() -> None:
    found = likeness(shelf(), np.arange(30, dtype=np.int32))
    assert np.linalg.eigvalsh(found).min() > -1e-6
    assert np.allclose(np.diag(found), 1.0)
    assert found.min() >= 0


@pytest.mark.parametrize("seed", range(4))
def test_calibration_is_its_formula_and_brings_the_mix_nearer(seed: int) -> None:
    config = CalibratedConfig(weight=0.8)
    model = Calibrated(config)
    model.stock(shelf())
    items, request = a_list(seed), a_request([1, 1, 1, 6, 2, 2])
    codes = shelf().category_codes
    mine = codes[request.history.products]
    wanted = np.bincount(mine[mine >= 0], minlength=4) / (mine >= 0).sum()
    worth = relevance(items.scores)

    def cost(places: list[int]) -> float:
        listed = codes[items.products[places]]
        mix = np.bincount(listed[listed >= 0], minlength=4) / len(places)
        return divergence(wanted, mix, config.smoothing)

    chosen: list[int] = []
    for _ in range(6):
        gains = {i: 0.2 * worth[i] - 0.8 * cost([*chosen, i]) for i in range(20) if i not in chosen}
        best = max(gains.values())
        chosen.append(next(i for i, gain in gains.items() if gain > best - 1e-12))
    found = model(request, items, 6)
    assert found.products.tolist() == items.products[chosen].tolist()
    assert cost(chosen) <= cost(list(range(6)))


def test_boost_bury_and_pin_move_as_far_as_they_say() -> None:
    items = a_list()
    red = [p for p, product in enumerate(items.products.tolist()) if product % 3 == 0]

    def run(**config: object) -> list[int]:
        model = Place(PlaceConfig(attribute="colour:red", **config))  # type: ignore[arg-type]
        model.stock(shelf())
        return model(a_request(), items, 20).products.tolist()

    boosted = run(action="boost", places=3)
    last = red[-1]
    assert boosted.index(int(items.products[last])) <= last
    pinned = run(action="pin", at=2)
    assert pinned[1] == items.products[red[0]]
    buried = run(action="bury", places=100)
    assert [p % 3 == 0 for p in buried] == sorted(p % 3 == 0 for p in buried)


def test_a_wrong_place_says_what_to_write() -> None:
    with pytest.raises(ConfigError, match="attribute = 'name:value' or category"):
        parse(PlaceConfig, {"action": "boost"}, where="home.toml")
