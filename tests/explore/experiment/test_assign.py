"""Assignment is stable, uniform, and independent between experiments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from storewise.core.errors import ConfigError
from storewise.explore.experiment.assign import Assignment

UNITS = [f"c:{i}" for i in range(20_000)]
HALVES = {"control": 0.5, "treated": 0.5}


def test_it_is_the_same_on_every_machine_and_version() -> None:
    split = Assignment("salt", {"a": 0.3, "b": 0.7})
    assert [split(f"c:{i}") for i in range(8)] == ["a", "b", "b", "b", "b", "b", "b", "b"]
    assert split.place("c:0") == pytest.approx(Assignment("salt", HALVES).place("c:0"))


def test_places_are_uniform_and_counts_are_the_shares() -> None:
    split = Assignment("x", {"a": 0.5, "b": 0.3, "c": 0.2})
    places = [split.place(unit) for unit in UNITS]
    assert stats.kstest(places, "uniform").pvalue > 0.001
    counts = [sum(split(unit) == name for unit in UNITS) for name in "abc"]
    assert stats.chisquare(counts, [10_000, 6_000, 4_000]).pvalue > 0.001


def test_two_experiments_know_nothing_of_each_other() -> None:
    one, two = Assignment("first", HALVES), Assignment("second", HALVES)
    table = np.zeros((2, 2))
    for unit in UNITS:
        table[one(unit) == "treated", two(unit) == "treated"] += 1
    assert stats.chi2_contingency(table).pvalue > 0.001
    assert table.min() > 4_700


def test_neighbouring_ids_are_no_neighbours() -> None:
    split = Assignment("x", HALVES)
    places = np.array([split.place(unit) for unit in UNITS])
    assert abs(np.corrcoef(places[:-1], places[1:])[0, 1]) < 0.03


def test_widening_the_last_variant_moves_nobody() -> None:
    narrow, wide = Assignment("x", {"a": 0.2, "b": 0.2}), Assignment("x", {"a": 0.2, "b": 0.8})
    outside = 0
    for unit in UNITS[:3000]:
        before = narrow(unit)
        outside += before is None
        assert before in (None, wide(unit))
    assert 0.55 < outside / 3000 < 0.65


def test_thirds_leave_nobody_out() -> None:
    split = Assignment("x", dict.fromkeys("abc", 1 / 3))
    assert all(split(unit) is not None for unit in UNITS[:3000])


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0.0}, {"a": 0.7, "b": 0.7}, {"a": -0.1, "b": 0.5}, {"a": float("nan")}]
)
def test_shares_that_cannot_be(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="share"):
        Assignment("x", shares)
