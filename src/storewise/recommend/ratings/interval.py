"""Intervals for predicted ratings by split conformal prediction, apart for pairs with much and little support.

Residuals of ratings the model had not seen give, with no assumption on the model, an interval that holds
a new rating with the asked probability (Vovk et al. 2005; by group: Vovk 2012, "Mondrian" predictors).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.recommend.ratings.table import Floats

LEAST_PER_GROUP = 200


@dataclass(frozen=True)
class Margins:
    """What to add to a prediction for its lower and upper end, by support.

    ``edges`` (g - 1,): upper borders of the support groups; ``low``, ``high`` (g,): signed margins, infinite
    where there were too few residuals to say (the caller clips to the scale).
    """

    edges: Floats
    low: Floats
    high: Floats

    @classmethod
    def fit(cls, residuals: Floats, support: Floats, *, coverage: float, groups: int = 4) -> Margins:
        """``residuals``, ``support`` (m,): rating minus prediction on held-out pairs, and their support.

        >>> margins = Margins.fit(np.linspace(-1, 1, 99), np.ones(99), coverage=0.8)
        >>> [round(float(end), 2) for end in (margins.low[0], margins.high[0])]
        [-0.82, 0.82]
        """
        n_groups = max(1, min(groups, len(residuals) // LEAST_PER_GROUP))
        steps = np.arange(1, n_groups) / n_groups
        edges = np.unique(np.quantile(support, steps)) if n_groups > 1 else np.empty(0)
        group = np.searchsorted(edges, support)
        ends = [signed_quantiles(residuals[group == g], coverage) for g in range(len(edges) + 1)]
        return cls(edges, np.array([end[0] for end in ends]), np.array([end[1] for end in ends]))

    def around(self, values: Floats, support: Floats) -> tuple[Floats, Floats]:
        """Lower and upper ends (b,) around predictions ``values`` (b,)."""
        group = np.searchsorted(self.edges, support)
        return values + self.low[group], values + self.high[group]

    def state(self, prefix: str) -> dict[str, npt.NDArray[np.float64]]:
        return {f"{prefix}_edges": self.edges, f"{prefix}_low": self.low, f"{prefix}_high": self.high}

    @classmethod
    def restore(cls, state: dict[str, Floats], prefix: str) -> Margins:
        return cls(state[f"{prefix}_edges"], state[f"{prefix}_low"], state[f"{prefix}_high"])


def signed_quantiles(residuals: Floats, coverage: float) -> tuple[float, float]:
    """The two ends that a further residual stays between with probability ≥ ``coverage``.

    Each tail gets half of what is left, by the order statistic of n + 1 exchangeable residuals; an end is
    infinite when n is too small for it.

    >>> signed_quantiles(np.arange(1.0, 10.0), 0.8)
    (1.0, 9.0)
    >>> signed_quantiles(np.arange(1.0, 4.0), 0.8)
    (-inf, inf)
    """
    n = len(residuals)
    # A tiny slack keeps (n + 1) * tail at the integer it means: 10 * 0.1 is 0.99999 in binary.
    rank = int(np.floor((n + 1) * (1.0 - coverage) / 2.0 + 1e-9))
    if rank < 1:
        return -np.inf, np.inf
    ordered = np.sort(residuals)
    return float(ordered[rank - 1]), float(ordered[n - rank])
