"""What a place in the list is for: what the shopper wants, what the shop earns, or something between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
LEAST_SHARE = (
    0.01  # a margin is at least this part of the catalogue's median: losses are the margin floor's affair
)


@dataclass(frozen=True)
class Objective:
    """``weight`` w in [0, 1]: 0 orders by the ranker's score alone, 1 by expected margin, between them by

        log p + w log m,

    p the calibrated chance of a purchase, m the margin: a geometric mean of relevance (p) and value (p·m).
    ``margin_minor`` (n_products,): price less unit cost where the cost is known, else the price, NaN where neither
    is; an unknown margin counts as the median.

    >>> objective = Objective(1.0, np.array([100.0, 400.0]))
    >>> order = objective(np.array([2.0, 1.0]), np.array([0.2, 0.1]), np.array([0, 1]))
    >>> bool(order[1] > order[0])
    True
    """

    weight: float
    margin_minor: Values

    def worth(self, products: npt.NDArray[np.int32]) -> Values:
        """(m,) margins as they count, positive."""
        known = self.margin_minor[~np.isnan(self.margin_minor)]
        middle = float(np.median(known[known > 0])) if (known > 0).any() else 1.0
        found = self.margin_minor[products]
        return np.maximum(np.where(np.isnan(found), middle, found), LEAST_SHARE * middle)

    def __call__(self, scores: Values, chances: Values, products: npt.NDArray[np.int32]) -> Values:
        """(m,) what to order by, larger is better; where no chance is known, the score orders among the last."""
        if not self.weight:
            return scores
        with np.errstate(divide="ignore"):
            told = np.log(chances) + self.weight * np.log(self.worth(products))
        spread = float(np.nanmax(np.abs(scores), initial=0.0)) + 1.0
        # Steps of the calibration are ties: the score decides there.
        return np.where(np.isnan(told), np.nan, told + 1e-6 * scores / spread)


def margins(price_minor: npt.NDArray[np.int64], unit_cost_minor: Values) -> Values:
    """(n,) price less cost, the price alone where no cost is known, NaN without a price (given as -1).

    >>> margins(np.array([100, 100, -1]), np.array([60.0, np.nan, 5.0])).tolist()
    [40.0, 100.0, nan]
    """
    price = np.where(price_minor >= 0, price_minor, np.nan).astype(np.float64)
    return np.asarray(price - np.nan_to_num(unit_cost_minor, nan=0.0))
