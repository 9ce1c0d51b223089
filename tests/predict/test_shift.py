"""A shift of everybody's rate: the law it follows, and what it does to intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.predict.base import Prediction
from storewise.predict.calibrated import Calibration
from storewise.predict.shift import Shift

chances = st.floats(0.001, 0.999)


def test_it_is_a_rate_of_orders_that_grows() -> None:
    """Orders come at a rate: twice the rate makes 1 - e^(-2·rate)."""
    rate = np.array([0.05, 0.5, 2.0])
    np.testing.assert_allclose(Shift(np.log(2)).values(1 - np.exp(-rate)), 1 - np.exp(-2 * rate))


@settings(deadline=None)
@given(p=chances, ratio=st.floats(-1, 1), spread=st.floats(0, 0.5), absent=st.booleans())
def test_bounds_hold_the_value_and_grow(p: float, ratio: float, spread: float, absent: bool) -> None:
    told = Prediction(np.array([p]), np.array([p * 0.9]), np.array([p + (1 - p) * 0.1]))
    narrow, wide = Shift(ratio, 0.0, absent)(told), Shift(ratio, spread, absent)(told)
    tiny = 1e-9
    assert 0 <= wide.low[0] <= narrow.low[0] + tiny <= narrow.value[0] + 2 * tiny
    assert narrow.value[0] - 2 * tiny <= narrow.high[0] - tiny <= wide.high[0] <= 1
    assert narrow.value[0] == wide.value[0]
    more = ratio > 0 if not absent else ratio < 0
    assert ratio == 0 or (narrow.value[0] >= p - tiny if more else narrow.value[0] <= p + tiny)


@settings(deadline=None)
@given(p=chances, ratio=st.floats(-1, 1))
def test_absent_mirrors_present(p: float, ratio: float) -> None:
    present = Prediction(np.array([p]), np.array([p * 0.8]), np.array([p + 0.3 * (1 - p)]))
    absent = Prediction(1 - present.value, 1 - present.high, 1 - present.low)
    one, other = Shift(ratio, 0.1)(present), Shift(ratio, 0.1, absent=True)(absent)
    for left, right in ((one.value, other.value), (one.low, other.high), (one.high, other.low)):
        np.testing.assert_allclose(left, 1 - right, rtol=1e-6, atol=1e-9)


def test_unknown_and_open_sides_stay() -> None:
    told = Prediction(*(np.array(part) for part in ([0.2, np.nan], [0.0, np.nan], [1.0, np.nan])))
    found = Shift(0.3, 0.2)(told)
    assert (found.low[0], found.high[0]) == (0.0, 1.0)
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


def test_the_spread_alone_at_a_certain_rate() -> None:
    """A rate without an error of its own: what is left is 1.96 standard deviations of ln ρ."""
    p = np.array([0.2])
    found = Shift(0.1, 0.05)(Prediction(p, p, p))
    for bound, sign in ((found.low, -1), (found.high, 1)):
        assert bound == pytest.approx(Shift(0.1 + sign * 1.959964 * 0.05).values(p))


def test_a_calibration_keeps_its_shift() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(2_000)
    labels = (rng.random(2_000) < scores).astype(float)
    made = Calibration.learn(scores, labels)
    moved = made.shifted(Shift(0.4, 0.1, absent=True))
    again = Calibration.restore(moved.state())
    np.testing.assert_array_equal(again(scores).value, moved(scores).value)
    np.testing.assert_array_equal(again(scores).high, moved(scores).high)
    assert not np.array_equal(moved(scores).value, made(scores).value)
    old = {name: part for name, part in made.state().items() if name != "shift"}
    np.testing.assert_array_equal(Calibration.restore(old)(scores).value, made(scores).value)
