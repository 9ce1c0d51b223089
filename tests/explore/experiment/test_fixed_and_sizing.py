"""Fixed-horizon tests and sample sizes against other libraries, published values and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from storewise.core.errors import ConfigError
from storewise.explore.experiment import sizing
from storewise.explore.experiment.arm import Arm, of_values
from storewise.explore.experiment.fixed import proportions, welch, wilson


def test_welch_is_scipys() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2, 10, 300), rng.gamma(2, 12, 120)
    found, known = welch(of_values(a), of_values(b)), stats.ttest_ind(b, a, equal_var=False)
    bounds = known.confidence_interval(0.95)
    assert (found.p, found.low, found.high) == pytest.approx((known.pvalue, bounds.low, bounds.high))


def test_two_proportions_are_the_chi_square_test() -> None:
    table = [[100, 900], [130, 870]]
    known = stats.chi2_contingency(table, correction=False).pvalue
    assert proportions(100, 1000, 130, 1000).p == pytest.approx(known)


def test_newcombes_own_example() -> None:
    """Newcombe (1998), table II, case 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    found = proportions(48, 80, 56, 70)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_wilson_at_the_ends() -> None:
    assert wilson(0, 20)[0] == pytest.approx(0, abs=1e-12)
    assert wilson(20, 20)[1] == pytest.approx(1)


def test_nobody_is_no_evidence() -> None:
    assert welch(of_values(np.empty(0)), of_values(np.ones(5))).p == 1
    assert proportions(0, 0, 1, 5).p == 1
    assert welch(Arm(9, 1.0, 0.0), Arm(9, 1.0, 0.0)).p == 1


@pytest.mark.parametrize(
    ("p", "changed", "n"), [(0.1, 0.12, 3841), (0.1, 0.15, 686), (0.5, 0.6, 388), (0.05, 0.04, 6745)]
)
def test_published_sample_sizes_of_proportions(p: float, changed: float, n: int) -> None:
    """As G*Power and R's power.prop.test give them (80 %, two-sided 5 %)."""
    assert sizing.sample_for_proportions(p, changed) == n
    assert sizing.power_for_proportions(p, changed, n) == pytest.approx(0.8, abs=0.001)


def test_published_sample_sizes_of_means() -> None:
    """Cohen (1988): d = 0.2, 0.5, 0.8 need 393, 64, 26 a group with t; the normal form is one less."""
    assert [sizing.sample_for_means(d, 1.0) for d in (0.2, 0.5, 0.8)] == [393, 63, 25]


def test_power_is_what_a_simulation_finds() -> None:
    rng = np.random.default_rng(2)
    control, treated = rng.binomial(800, 0.1, 4000), rng.binomial(1600, 0.14, 4000)
    found = np.mean(
        [proportions(int(a), 800, int(b), 1600).p < 0.05 for a, b in zip(control, treated, strict=True)]
    )
    assert sizing.power_for_proportions(0.1, 0.14, 800, ratio=2.0) == pytest.approx(found, abs=0.025)
    assert sizing.power_for_means(0.0, 1.0, 100) == pytest.approx(0.05)


@pytest.mark.parametrize("bad", [(0.1, 0.1), (1.2, 0.1), (-0.1, 0.2)])
def test_bad_proportions(bad: tuple[float, float]) -> None:
    with pytest.raises(ConfigError):
        sizing.sample_for_proportions(*bad)


def test_bad_means_and_levels() -> None:
    for difference, deviation in ((0.0, 1.0), (1.0, 0.0), (1.0, float("nan"))):
        with pytest.raises(ConfigError):
            sizing.sample_for_means(difference, deviation)
    with pytest.raises(ConfigError, match="alpha"):
        sizing.sample_for_means(1.0, 1.0, alpha=0.0)
