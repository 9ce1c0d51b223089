"""Features of a shopper by how what they bought sells now: whoever likes what is in demand comes back sooner."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.predict.features import segments
from storewise.predict.features.events import Trails
from storewise.predict.features.facts import ShopFacts

Floats = npt.NDArray[np.float64]
HALF_LIFE_DAYS = 91.0  # of a purchase
HALF = 0.5


def current_columns(trails: Trails, facts: ShopFacts) -> dict[str, Floats]:
    """Name → (b,) float64, NaN for who bought nothing. Means over purchases, each half after 91 days, of what
    their products did in the shop: buyers in 28 days, those over a third of 91 days', whether there were any. And over
    all purchases alike, ``season_fit``: the buyers of the same days one year ago over those of the days before."""
    bought = trails.orders.lines_of
    weight = HALF ** (bought.age_days / HALF_LIFE_DAYS)
    trend = np.log((facts.buyers_28 + HALF) / (facts.buyers_91 * 28 / 91 + HALF))

    def mean(of_product: Floats, weights: Floats) -> Floats:
        n = len(trails)
        summed = segments.total(bought.rows, weights * of_product[bought.products], n)
        return segments.ratio(summed, segments.total(bought.rows, weights, n))

    return {
        "current_trend": mean(trend, weight),
        "current_buyers_log": mean(np.log1p(facts.buyers_28), weight),
        "current_share": mean((facts.buyers_28 > 0).astype(np.float64), weight),
        "season_fit": mean(facts.season, np.ones_like(weight)),
    }
