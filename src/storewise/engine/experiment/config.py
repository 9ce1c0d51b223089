"""The section ``[experiment]`` of a pipeline file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from storewise.core.config import Config
from storewise.core.errors import ConfigError
from storewise.explore.experiment.assign import Assignment

Metric = Literal["click_through", "conversion", "revenue"]
METRICS: tuple[Metric, ...] = ("click_through", "conversion", "revenue")
NAME = r"^[a-z0-9][a-z0-9_\-]*$"


def _guards() -> dict[Metric, float]:
    return {"conversion": 0.1, "revenue": 0.1}


class Variant(Config):
    """``share`` of the shoppers; ``change``: section of the pipeline → keys that are different for them."""

    share: float = Field(gt=0, le=1)
    change: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Experiment(Config):
    """One experiment on a pipeline. ``salt`` (default: the name) decides who gets what; a new one deals anew.

    ``control``: the variant that the others are compared with. ``primary``: the metric that decides.
    ``planned``: shoppers for which the intervals are tightest. ``minimum_effect``: the relative change that would
    matter. ``guard``: metric → the relative loss that could be borne. ``click_hours``: how long after a list a
    click on one of its products counts. ``outcome_days``: how long
    after the first list a shopper's clicks and purchases count. ``before_days``: what shoppers spent in the days before they came in, which
    CUPED takes out of the noise.

    >>> Experiment(name="x", variants={"control": {"share": 0.5}, "b": {"share": 0.5}}).order
    ('control', 'b')
    """

    name: str = Field(pattern=NAME, max_length=60)
    salt: str | None = Field(default=None, min_length=1)
    variants: dict[str, Variant]
    control: str = "control"
    primary: Metric = "conversion"
    planned: int = Field(default=10_000, ge=100)
    minimum_effect: float = Field(default=0.05, gt=0)
    guard: dict[Metric, float] = Field(default_factory=_guards)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    click_hours: float = Field(default=24.0, gt=0)
    outcome_days: float = Field(default=7.0, gt=0)
    before_days: float = Field(default=28.0, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Experiment:
        if len(self.variants) < 2:
            raise ValueError("an experiment needs two variants at least")
        if self.control not in self.variants:
            raise ValueError(f"control {self.control!r} is none of the variants {', '.join(self.variants)}")
        try:
            self.assignment()
        except ConfigError as error:
            raise ValueError(error.problem) from error
        return self

    @property
    def order(self) -> tuple[str, ...]:
        """The control, then the others by name: the order in which they lie in [0, 1)."""
        return (self.control, *sorted(name for name in self.variants if name != self.control))

    @property
    def shares(self) -> Mapping[str, float]:
        return {name: self.variants[name].share for name in self.order}

    def assignment(self) -> Assignment:
        """Who gets which variant.

        Raises:
            ConfigError: for shares that sum to more than 1.
        """
        return Assignment(self.salt or self.name, self.shares)
