"""The section ``[predict]`` of a pipeline file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from storewise.core.config import Config


class PredictConfig(Config):
    """``targets``: ``auto`` for all that the data allow, or names; an empty list predicts nothing. ``horizon_days``:
    how far ``purchase`` and ``product`` look. ``minutes``: time to tune predictors in, for all targets together; 0
    tries each with its defaults, and the same data then give the same predictors.
    ``windows``: past windows to learn from at most; ``customers`` and ``cases``: how many a window gives at most
    where a customer has many rows, or a case is an event. ``candidates``: predictors to try."""

    targets: Literal["auto"] | tuple[str, ...] = "auto"
    horizon_days: float = Field(default=28.0, gt=0, le=365)
    minutes: float = Field(default=0.0, ge=0)
    windows: int = Field(default=6, ge=1, le=52)
    customers: int = Field(default=200, ge=10)
    cases: int = Field(default=2_000, ge=100)
    candidates: tuple[str, ...] = (
        "predict.rate.v1",
        "predict.bg_nbd.v1",
        "predict.logistic.v1",
        "predict.lightgbm.v1",
    )
