"""A change of everybody's rate between the rows that calibrated a model and those it is asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.predict.base import Prediction

Floats = npt.NDArray[np.float64]
EDGE = 1e-12
QUANTILE = 1.959964  # of a normal law: 95 % lie within so many standard deviations


@dataclass(frozen=True)
class Shift:
    """Rates of the event times e^``log_ratio``: whoever had none with probability 1 - p has none with (1 - p)^ρ
    (proportional hazards, Cox, 1972), so that ln(-ln(1 - p)) moves by ln ρ for all alike. ``spread``: the standard
    deviation of ln ρ, by which intervals grow. ``absent``: what is predicted is that nothing happens, p^ρ.

    >>> Shift(np.log(2)).values(np.array([0.2])).round(2).tolist()
    [0.36]
    >>> Shift(np.log(2), absent=True).values(np.array([0.8])).round(2).tolist()
    [0.64]
    """

    log_ratio: float = 0.0
    spread: float = 0.0
    absent: bool = False

    def values(self, p: Floats) -> Floats:
        """(n,) probabilities after the change; NaN stays NaN."""
        return p if not self.log_ratio else self._back(self._hazard(p) + self.log_ratio)

    def __call__(self, told: Prediction) -> Prediction:
        """Values and bounds after the change. On the scale of ln(-ln(1 - p)) the distance of a bound is √(d² + (1.96 s)²):
        its own and that of ρ, which are independent."""
        if not self.log_ratio and not self.spread:
            return told
        value, middle = self.values(told.value), self._hazard(told.value)
        side = -1.0 if self.absent else 1.0  # more orders make their absence less likely
        ends = []
        for bound, towards in ((told.low, -side), (told.high, side)):
            reach = np.hypot(self._hazard(bound) - middle, QUANTILE * self.spread)
            moved = self._back(middle + self.log_ratio + towards * reach)
            ends.append(np.where((bound <= 0.0) | (bound >= 1.0), bound, moved))  # an open side stays open
        low, high = ends
        unknown = np.isnan(value)
        return Prediction(
            value,
            np.where(unknown, np.nan, np.fmin(low, value)),
            np.where(unknown, np.nan, np.fmax(high, value)),
        )

    def state(self) -> Floats:
        """(3,) for an artifact."""
        return np.array([self.log_ratio, self.spread, float(self.absent)])

    @classmethod
    def restore(cls, state: Floats) -> Shift:
        """From what ``state`` gave."""
        return cls(float(state[0]), float(state[1]), bool(state[2]))

    def _hazard(self, p: Floats) -> Floats:
        none = p if self.absent else 1.0 - p
        return np.asarray(np.log(-np.log(np.clip(none, EDGE, 1.0 - EDGE))), np.float64)

    def _back(self, hazard: Floats) -> Floats:
        none = np.exp(-np.exp(hazard))
        return np.asarray(none if self.absent else 1.0 - none, np.float64)


UNMOVED = Shift()
