"""Expected amounts: scaled to what was spent, with an interval, and judged by how far sums are from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.metrics.intervals import ratio
from storewise.predict.base import Prediction

Floats = npt.NDArray[np.float64]
BINS = 10
LEAST_ROWS = 50
POWER = (
    1.5  # of the variance in the mean: between counts (1) and Gamma amounts (2), many zeros and a long tail
)


def deviances(amounts: Floats, expected: Floats) -> Floats:
    """(n,) Tweedie deviance of power 1.5; its mean is least where ``expected`` is the true mean (Jørgensen, 1987).

    >>> deviances(np.array([2.0]), np.array([2.0])).round(9).tolist()
    [0.0]
    """
    y, mu, p = np.maximum(amounts, 0.0), np.maximum(expected, 1e-9), POWER
    parts = y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)
    return np.asarray(2 * parts)


@dataclass(frozen=True)
class AmountCalibration:
    """``factor``: spent over expected on held-out rows. ``starts`` (b,): least expected value of each bin of them;
    ``lows``, ``highs`` (b,): bounds of spent over expected in a bin, rows resampled, relative to ``factor``."""

    factor: float
    starts: Floats
    lows: Floats
    highs: Floats

    @classmethod
    def learn(cls, scores: Floats, amounts: Floats, *, seed: int) -> AmountCalibration:
        """From (n,) scores and amounts of held-out rows."""
        factor = float(amounts.sum() / scores.sum()) if scores.sum() > 0 else 1.0
        bins = min(BINS, len(scores) // LEAST_ROWS)
        if bins < 1 or factor <= 0:
            nothing = np.zeros(0)
            return cls(factor if factor > 0 else 1.0, nothing, nothing, nothing)
        order = np.argsort(scores, kind="stable")
        parts = np.array_split(order, bins)
        bounds = [ratio(amounts[p][:, None], factor * scores[p][:, None], seed=seed)[0] for p in parts]
        return cls(
            factor, np.array([scores[part[0]] for part in parts]),
            np.array([min(bound.low, 1.0) for bound in bounds]),
            np.array([max(bound.high, 1.0) for bound in bounds]),
        )  # fmt: skip

    def __call__(self, scores: Floats) -> Prediction:
        """Amounts and their intervals; NaN bounds where too little was held out."""
        value = scores * self.factor
        if not len(self.starts):
            unknown = np.full(len(scores), np.nan)
            return Prediction(value, unknown, unknown)
        at = np.clip(np.searchsorted(self.starts, scores, side="right") - 1, 0, len(self.starts) - 1)
        return Prediction(value, value * self.lows[at], value * self.highs[at])

    def state(self) -> Arrays:
        return {
            "factor": np.array(self.factor),
            "starts": self.starts,
            "lows": self.lows,
            "highs": self.highs,
        }

    @classmethod
    def restore(cls, state: Arrays) -> AmountCalibration:
        return cls(float(state["factor"]), state["starts"], state["lows"], state["highs"])
