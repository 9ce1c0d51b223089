"""``amount.mean.v1`` and ``amount.pace.v1``: the simple rules beside which an expected amount is put."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.predict.base import Labelled, Predictor, Rows, Values

WINDOW_DAYS = 91.0
SPENT = "spend_91_log"


class AmountConfig(Config):
    """``horizon_days``: of the amount."""

    horizon_days: float = Field(default=90.0, gt=0)


class MeanAmount(Predictor[AmountConfig]):
    """Everybody's mean.

    >>> rows = Rows.of(numbers=[[0.0], [1.0]], number_names=("price",))
    >>> model = MeanAmount()
    >>> model.train(Labelled(rows, np.array([10.0, 30.0])), rng=np.random.default_rng(0))
    >>> model.scores(rows).tolist()
    [20.0, 20.0]
    """

    Config = AmountConfig
    complexity = 0
    stops_early = False

    def __init__(self, config: AmountConfig | None = None) -> None:
        super().__init__(config)
        self._mean = np.nan

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._mean = float(data.labels.mean())

    def scores(self, rows: Rows) -> Values:
        self.require(not np.isnan(self._mean))
        return np.full(len(rows), self._mean)

    def state(self) -> Arrays:
        self.require(not np.isnan(self._mean))
        return {"mean": np.array(self._mean)}

    def restore(self, state: Arrays) -> None:
        self._mean = float(state["mean"])


class PaceAmount(MeanAmount):
    """What the shopper spent in the last 91 days goes on at the same pace; a mean tenth of everybody's keeps it
    above nothing, because an expectation is never 0."""

    def scores(self, rows: Rows) -> Values:
        everybody = super().scores(rows)
        if SPENT not in rows.number_names:
            return everybody
        spent = np.expm1(rows.numbers[:, rows.number_names.index(SPENT)].astype(float))
        return 0.9 * np.nan_to_num(spent) * self.config.horizon_days / WINDOW_DAYS + 0.1 * everybody
