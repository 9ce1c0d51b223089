"""The simple rule: customer and product means, which every other predictor has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress
from storewise.recommend.ratings.base import RatingConfig, RatingPredictor
from storewise.recommend.ratings.table import Floats, Ratings


class MeansPredictor(RatingPredictor[RatingConfig]):
    """Predicts overall mean + customer's deviation + product's deviation, each shrunken by its support.

    >>> table = Ratings.build([0, 0, 1, 1], [0, 1, 0, 1], [5, 4, 2, 1], n_customers=2, n_products=2)
    >>> model = MeansPredictor(RatingConfig(shrinkage=0.0))
    >>> model.train_on(table, rng=np.random.default_rng(0))
    >>> model.predict(0, 0).value.round(6).tolist(), model.predict(-1, 0).value.tolist()
    ([5.0], [3.5])
    """

    Config = RatingConfig

    def fit(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        """Nothing beyond the means."""

    def estimate(self, customers: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> Floats:
        return self.means.at(customers, products)

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Nothing to take."""
