"""Looking all the time must not find what is not there, and must find what is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from storewise.core.errors import ConfigError
from storewise.explore.experiment.arm import Arm
from storewise.explore.experiment.sequential import always_valid, mixture, people_needed

EXPERIMENTS, PEOPLE = 2000, 4000


def looks(
    rng: np.random.Generator, effect: float, *, kind: str = "visits", every: int = 50
) -> tuple[np.ndarray, ...]:
    """(experiments, looks) of people in each arm so far (the same in both), differences and their variances."""
    shape = (EXPERIMENTS, PEOPLE // every, every)
    if kind == "visits":
        a, b = rng.random(shape) < 0.1, rng.random(shape) < 0.1 + effect
        firsts, squares = (
            [x.sum(axis=2).astype(float) for x in (a, b)],
            [x.sum(axis=2).astype(float) for x in (a, b)],
        )
    else:  # money: most spend nothing, some a lot
        a, b = (rng.gamma(1.0, 30.0, shape) * (rng.random(shape) < 0.3) for _ in range(2))
        firsts, squares = [x.sum(axis=2) for x in (a, b)], [(x**2).sum(axis=2) for x in (a, b)]
    n = np.arange(every, PEOPLE + 1, every, dtype=float)
    means = [np.cumsum(first, axis=1) / n for first in firsts]
    variances = [(np.cumsum(s, axis=1) / n - m**2) / (n - 1) for s, m in zip(squares, means, strict=True)]
    return n, means[1] - means[0], variances[0] + variances[1]


def excluded(n: np.ndarray, gap: np.ndarray, variance: np.ndarray, planned: int) -> np.ndarray:
    """(experiments, looks): 0 lies outside the interval. The arithmetic of ``always_valid`` on arrays, which
    ``test_arrays_and_the_function_agree`` holds to it."""
    scaled = 2 * n * mixture(planned)
    half = np.sqrt(variance * (1 + scaled) / scaled * np.log((1 + scaled) / 0.05**2))
    return np.abs(gap) > half


@pytest.mark.parametrize("kind", ["visits", "money"])
@pytest.mark.parametrize("planned", [1000, 8000])
def test_peeking_80_times_is_wrong_at_most_5_percent_of_the_time(kind: str, planned: int) -> None:
    n, gap, variance = looks(np.random.default_rng(1), 0.0, kind=kind)
    wrong = excluded(n, gap, variance, planned).any(axis=1).mean()
    assert wrong <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / EXPERIMENTS)
    naive = (np.abs(gap) > 1.96 * np.sqrt(variance)).any(axis=1).mean()
    assert naive > 0.25  # what a fixed-horizon test does when people peek


def test_the_interval_holds_the_truth_at_every_look_at_once() -> None:
    n, gap, variance = looks(np.random.default_rng(2), 0.03)
    assert (~excluded(n, gap - 0.03, variance, 4000).any(axis=1)).mean() >= 0.94


def test_an_effect_is_found_and_sooner_when_it_is_larger() -> None:
    stops = []
    for effect in (0.03, 0.05):
        n, gap, variance = looks(np.random.default_rng(3), effect)
        out = excluded(n, gap, variance, 4000)
        assert out.any(axis=1).mean() > 0.9
        stops.append(np.median(n[out.argmax(axis=1)]))
    assert stops[1] < stops[0]


def test_arrays_and_the_function_agree() -> None:
    n, gap, variance = looks(np.random.default_rng(4), 0.02)
    out = excluded(n, gap, variance, 4000)
    for i, j in [(0, 3), (5, 40), (17, 79), (100, 60)]:
        arms = Arm(int(n[j]), 0.1, variance[i, j] / 2), Arm(int(n[j]), 0.1 + gap[i, j], variance[i, j] / 2)
        found = always_valid(*arms, planned=4000)
        assert (found.p < 0.05) == out[i, j] == (found.low > 0 or found.high < 0)


def test_p_is_where_the_interval_touches_zero() -> None:
    arms = Arm(1000, 0.10, 0.00009), Arm(1000, 0.15, 0.00012)
    p = always_valid(*arms).p
    rho = mixture(10_000)
    # with alpha = p and the same mixture the interval ends at 0
    half = math.sqrt(0.00021 * (1 + 2000 * rho) / (2000 * rho) * math.log((1 + 2000 * rho) / p**2))
    assert half == pytest.approx(0.05)


def test_the_mixture_is_tightest_where_it_was_planned() -> None:
    def width(planned: int) -> float:
        found = always_valid(Arm(1000, 0.1, 1e-4), Arm(1000, 0.1, 1e-4), planned=planned)
        return found.high - found.low

    assert width(2000) < min(width(1000), width(4000))
    assert width(2000) <= 1.001 * min(width(2200), width(1800))


def test_the_price_of_looking_is_less_than_double() -> None:
    found = always_valid(Arm(5000, 0.1, 1e-4), Arm(5000, 0.1, 1e-4), planned=10_000)
    fixed = 2 * float(stats.norm.ppf(0.975)) * math.sqrt(2e-4)
    assert 1.0 < (found.high - found.low) / fixed < 2.0


def test_needed_people_are_those_that_end_it() -> None:
    control, treated = Arm(500, 0.1, 0.09 / 500), Arm(500, 0.11, 0.0979 / 500)
    n = people_needed(control, treated, 0.01)
    assert n is not None
    for people, ends in ((n, True), (n - 2, False)):
        half = people / 2
        ask = always_valid(Arm(int(half), 0.1, 0.09 / half), Arm(int(half), 0.11, 0.0979 / half))
        assert (ask.low > 0) == ends or people % 2
    assert people_needed(control, treated, 0.0) is None
    assert people_needed(control, treated, 1e-9) is None


def test_too_few_or_all_alike_is_no_conclusion() -> None:
    assert always_valid(Arm(10, 0.0, 0.1), Arm(10, 9.0, 0.1)).p == 1
    alike = always_valid(Arm(100, 0.0, 0.0), Arm(100, 0.0, 0.0))
    assert (alike.p, alike.low) == (1.0, -math.inf)


@pytest.mark.parametrize(("planned", "alpha"), [(0, 0.05), (10, 0.0), (10, 1.0)])
def test_bad_plans(planned: int, alpha: float) -> None:
    with pytest.raises(ConfigError):
        mixture(planned, alpha)
