"""What every uplift model must do; plug-in authors run it in their own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from storewise.core.component import same_state
from storewise.core.errors import DataError, StateError
from storewise.core.rng import spawn
from storewise.metrics.uplift import Ranked, Trial
from storewise.predict.base import Rows
from storewise.predict.uplift.base import Campaign, UpliftModel

Make = Callable[[], UpliftModel]


def small_campaign(n: int = 6000, *, seed: int = 1, amounts: bool = False, arms: int = 2) -> Campaign:
    """Everybody buys with 0.2; each message adds 0.2 for those with ``taste`` above 0, nothing for the others."""
    rng = np.random.default_rng(seed)
    taste, other = rng.normal(size=n), rng.normal(size=n)
    zone = rng.integers(1, 4, n)
    arm = rng.integers(0, arms, n)
    outcome = (rng.random(n) < 0.2 + 0.2 * (arm > 0) * (taste > 0)).astype(float)
    if amounts:
        outcome *= rng.gamma(4, 5, n)
    rows = Rows.of(
        numbers=np.stack([taste, other], axis=1), number_names=("taste", "other"),
        categories=zone[:, None], category_names=("zone",), sizes=(4,),
    )  # fmt: skip
    return Campaign(rows, outcome, arm, arms)


def check_uplift(make: Make) -> None:
    """Run all checks on models that ``make`` builds.

    Raises:
        AssertionError: naming what does not hold.
    """
    _untrained(make)
    _finds_the_persuadable(make)
    _amounts_and_arms(make)
    _odd_rows(make)
    _refuses(make)


def trained(make: Make, data: Campaign) -> UpliftModel:
    model = make()
    model.train(data, rng=spawn(1, "uplift"))
    return model


def _untrained(make: Make) -> None:
    for ask in (lambda: make().effects(small_campaign(50).rows), lambda: make().state()):
        _raises(StateError, ask, "an untrained model must say so")


def _finds_the_persuadable(make: Make) -> None:
    data, test = small_campaign(), small_campaign(seed=2)
    model = trained(make, data)
    effects = model.effects(test.rows)
    assert effects.shape == (len(test), 1), "one column for each arm but the control"
    assert effects.dtype == np.float64
    area = Ranked(effects[:, 0], Trial(test.outcomes, test.arms == 1)).qini()[0]
    assert area >= -0.01, f"the order is worse than random: {area}"
    assert abs(effects.mean() - 0.1) < 0.06, f"effects average to {effects.mean():.3f}, the truth is 0.1"
    again = make()
    again.restore(model.state())
    assert np.array_equal(again.effects(test.rows), effects), "restored answers as trained"
    assert same_state(trained(make, data).state(), model.state()), "the same seed gives the same model"
    alone = model.effects(test.rows.part(np.array([7])))
    assert np.allclose(alone[0], effects[7], rtol=1e-10), "a person's effect depends on the row alone"


def _amounts_and_arms(make: Make) -> None:
    data = small_campaign(3000, amounts=True, arms=3)
    effects = trained(make, data).effects(data.rows)
    assert effects.shape == (3000, 2)
    assert np.isfinite(effects).all()


def _odd_rows(make: Make) -> None:
    data = small_campaign(2000)
    numbers = data.rows.numbers.copy()
    numbers[::7, 0], numbers[::11, 1] = np.nan, np.inf
    codes = data.rows.categories.copy()
    codes[::5] = -1
    rows = Rows.of(
        numbers=np.concatenate([numbers, np.full((2000, 1), np.nan)], axis=1),
        number_names=("taste", "other", "nothing"), categories=codes, category_names=("zone",), sizes=(4,),
    )  # fmt: skip
    effects = trained(make, Campaign(rows, data.outcomes, data.arms, 2)).effects(rows)
    assert np.isfinite(effects).all(), "missing, infinite and constant columns are normal"
    assert len(trained(make, data).effects(data.rows.part(np.arange(0)))) == 0, "no rows, no effects"


def _refuses(make: Make) -> None:
    data = small_campaign(100)
    cases: dict[str, Campaign] = {
        "one outcome for all": Campaign(data.rows, np.ones(100), data.arms, 2),
        "an empty arm": Campaign(data.rows, data.outcomes, data.arms, 3),
        "a missing outcome": Campaign(data.rows, np.full(100, np.nan), data.arms, 2),
        "a propensity of 0": Campaign(data.rows, data.outcomes, data.arms, 2, np.tile([0.0, 1.0], (100, 1))),
    }
    for what, case in cases.items():
        _raises(DataError, lambda case=case: trained(make, case), what)  # type: ignore[misc]


def _raises(kind: type[Exception], call: Callable[[], Any], what: str) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{what}: {kind.__name__} was not raised")
