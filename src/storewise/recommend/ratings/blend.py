"""A blend of rating predictors, weighted by how well they do on ratings none of them has seen.

Stacked generalisation (Wolpert 1992; Breiman 1996 for the non-negative weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.optimize import nnls

from storewise.core.config import parse
from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.recommend.ratings.base import RatingConfig, RatingPredictor
from storewise.recommend.ratings.factorisation_als import AlsFactorisation
from storewise.recommend.ratings.factorisation_sgd import SgdFactorisation
from storewise.recommend.ratings.neighbourhood import ItemNeighbourhood, UserNeighbourhood
from storewise.recommend.ratings.table import Floats, Ratings

PARTS: dict[str, type[RatingPredictor[Any]]] = {
    "item_neighbourhood": ItemNeighbourhood,
    "user_neighbourhood": UserNeighbourhood,
    "biased_mf_als": AlsFactorisation,
    "biased_mf_sgd": SgdFactorisation,
}


class BlendConfig(RatingConfig):
    """``parts``: which models; ``settings``: config of each that shall not have its defaults;
    ``prior_ratings``: the weights are pulled to 0 (the means alone) as by this many ratings, so that little
    data gives a simple model."""

    parts: tuple[str, ...] = tuple(PARTS)
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    prior_ratings: float = Field(20.0, ge=0.0)


class Blend(RatingPredictor[BlendConfig]):
    """means + Σ w_k (part k − means), w ≥ 0 learned on the held-out part of the training ratings.

    >>> rng = np.random.default_rng(0)
    >>> taste, kind = rng.choice([-1, 1], 60), rng.choice([-1, 1], 40)
    >>> who, what = np.nonzero(rng.random((60, 40)) < 0.5)
    >>> table = Ratings.build(who, what, 3 + taste[who] * kind[what], n_customers=60, n_products=40)
    >>> model = Blend(BlendConfig(parts=("item_neighbourhood", "biased_mf_als")))
    >>> model.train_on(table, rng=rng)
    >>> 0.8 < sum(model.weights.values()) < 1.1
    True
    """

    Config = BlendConfig

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        self._parts = {name: self._new(name) for name in self.config.parts}
        self._weights: Floats = np.full(len(self._parts), 1.0 / max(len(self._parts), 1))

    def _new(self, name: str) -> RatingPredictor[Any]:
        if name not in PARTS:
            raise ConfigError(
                f"There is no rating predictor {name!r} to blend.", next_step=f"Known: {', '.join(PARTS)}."
            )
        kind = PARTS[name]
        settings = self.config.settings.get(name, {})
        return kind(parse(kind.Config, settings, where=f"ratings.blend.v1 settings of {name}"))

    @property
    def weights(self) -> dict[str, float]:
        """What each part counts."""
        return dict(zip(self._parts, self._weights.tolist(), strict=True))

    def tune(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        for part in self._parts.values():
            part.tune(ratings, rng.spawn(1)[0], progress)

    def rehearse(self, kept: Ratings, held: Ratings, rng: np.random.Generator, progress: Progress) -> Floats:
        """Learn the weights. The predictions for ``held`` come from weights learned on its other half, so
        that the intervals don't take the weights' own fit for skill."""
        self.fit_on(kept, rng, progress)
        means = self.means.at(held.customers, held.products)
        gains = self._gains(held.customers, held.products, means)
        target = held.values - means
        half = rng.permutation(len(held)) % 2 == 0
        blended = means.copy()
        for rows in (half, ~half):
            blended[rows] += gains[rows] @ self._solve(gains[~rows], target[~rows])
        self._weights = self._solve(gains, target)
        return self._clip(blended)

    def _solve(self, gains: Floats, target: Floats) -> Floats:
        """Non-negative ridge regression of target (m,) on gains (m, parts)."""
        if len(target) == 0:
            return np.zeros(gains.shape[1])
        typical = float(np.mean(gains**2))
        pull = np.sqrt(self.config.prior_ratings * max(typical, 1e-12)) * np.eye(gains.shape[1])
        found, _ = nnls(np.vstack([gains, pull]), np.concatenate([target, np.zeros(gains.shape[1])]))
        return np.asarray(found, np.float64)

    def fit(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        for part in self._parts.values():
            part.fit_on(ratings, rng.spawn(1)[0], progress)

    def estimate(self, customers: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> Floats:
        means = self.means.at(customers, products)
        return np.asarray(means + self._gains(customers, products, means) @ self._weights, np.float64)

    def _gains(
        self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer], means: Floats
    ) -> Floats:
        """(b, parts): each part's estimate less the means."""
        who, what = customers.astype(np.int64), products.astype(np.int64)
        return np.column_stack([part.estimate(who, what) - means for part in self._parts.values()])

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {"weights": self._weights}
        for name, part in self._parts.items():
            found |= {f"{name}.{key}": array for key, array in part.learned().items()}
        return found

    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self._weights = state["weights"]
        for name, part in self._parts.items():
            part.ratings, part.means = self.ratings, self.means
            own = {
                key.removeprefix(f"{name}."): array
                for key, array in state.items()
                if key.startswith(f"{name}.")
            }
            part.take(own)
