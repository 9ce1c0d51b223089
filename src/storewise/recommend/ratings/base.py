"""The rating predictor's contract: a number, an interval, and what both rest on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.core.progress import Progress, Silent
from storewise.data.dataset import Dataset
from storewise.recommend.ratings.interval import Margins
from storewise.recommend.ratings.means import Means
from storewise.recommend.ratings.table import Floats, Ratings
from storewise.recommend.request import ItemList
from storewise.recommend.retrieve.base import top_n


class Basis(IntEnum):
    """What a prediction rests on; all but MODEL are the declared fallbacks."""

    MODEL = 0
    PRODUCT_MEAN = 1  # the customer has no ratings
    CUSTOMER_MEAN = 2  # the product has no ratings
    OVERALL_MEAN = 3  # neither has


class RatingConfig(Config):
    """``coverage``: probability that an interval holds the rating. ``calibration``: share of the ratings that
    is held out once to measure it (the model then learns from all). ``shrinkage``: of the means."""

    coverage: float = Field(0.9, gt=0.0, lt=1.0)
    calibration: float = Field(0.1, gt=0.0, lt=1.0)
    shrinkage: float = Field(4.0, ge=0.0)


@dataclass(frozen=True)
class RatingPrediction:
    """For b pairs, arrays (b,): ``value`` and the interval ``low`` … ``high``, inside the data's scale;
    ``basis``: a :class:`Basis` each."""

    value: Floats
    low: Floats
    high: Floats
    basis: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.value)


RatingConfigT = TypeVar("RatingConfigT", bound=RatingConfig)


class RatingPredictor(Component[RatingConfigT]):
    """Predicts how a customer would rate a product.

    A subclass implements ``fit`` (learn), ``estimate`` (score pairs that both have ratings), ``learned`` and
    ``take`` (its arrays out and in); calibration, fallbacks, clipping to the scale and lists are here.
    """

    ratings: Ratings | None = None
    means: Means
    _margins: dict[str, Margins]

    def tune(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        """Choose what the config leaves open, on parts of these ratings. By default there is nothing."""

    @abstractmethod
    def fit(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        """Learn from these ratings alone; ``self.means`` has been fitted to them."""

    @abstractmethod
    def estimate(self, customers: npt.NDArray[np.int64], products: npt.NDArray[np.int64]) -> Floats:
        """(b,) predictions, unclipped, for pairs of known indices."""

    @abstractmethod
    def learned(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of ``fit``."""

    @abstractmethod
    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what ``learned`` gave; ``self.ratings`` and ``self.means`` are already there."""

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        """Learn from ``dataset.values``: once without a held-out part for the intervals, then from all of
        them.

        Raises:
            DataError: when the dataset has no ratings.
        """
        self.train_on(Ratings.of(dataset), rng=rng, progress=progress)

    def train_on(
        self, ratings: Ratings, *, rng: np.random.Generator, progress: Progress | None = None
    ) -> None:
        """The same from a table of ratings."""
        watch = progress if progress is not None else Silent()
        kept, held = ratings.hold_out(self.config.calibration, rng)
        self.tune(kept, rng, watch)
        estimates = self.rehearse(kept, held, rng, watch)
        self._margins = self._calibrate(held, estimates)
        self.fit_on(ratings, rng, watch)

    def fit_on(self, ratings: Ratings, rng: np.random.Generator, progress: Progress) -> None:
        """Means, then model, without calibration."""
        self.ratings = ratings
        self.means = Means.fit(ratings, shrinkage=self.config.shrinkage)
        self.fit(ratings, rng, progress)

    def rehearse(self, kept: Ratings, held: Ratings, rng: np.random.Generator, progress: Progress) -> Floats:
        """Learn from ``kept`` and give clipped predictions for ``held`` (m,)."""
        self.fit_on(kept, rng, progress)
        return self._values(held.customers, held.products)[0]

    def predict(self, customers: npt.ArrayLike, products: npt.ArrayLike) -> RatingPrediction:
        """Predict pairs; the two arguments broadcast to (b,). An index that training has not seen (-1, say)
        is no error: ``basis`` tells which mean answered instead.

        Raises:
            StateError: before training.
        """
        self.require(self.ratings is not None)
        who, what = np.broadcast_arrays(
            np.atleast_1d(np.asarray(customers, np.int64)), np.atleast_1d(np.asarray(products, np.int64))
        )
        value, basis = self._values(who, what)
        low, high = np.empty_like(value), np.empty_like(value)
        support = self._support(who, what)
        for kind in Basis:
            rows = basis == kind
            low[rows], high[rows] = self._margins[kind.name].around(value[rows], support[rows])
        return RatingPrediction(value, self._clip(low), self._clip(high), basis)

    def top(self, customer: int, n: int, *, include_rated: bool = False) -> ItemList:
        """The n products with the highest predicted rating, without those the customer has rated."""
        self.require(self.ratings is not None)
        assert self.ratings is not None
        everything = np.arange(self.ratings.n_products)
        # Unclipped, so that the best products don't all tie at the top of the scale.
        scores, _ = self._raw(np.full(len(everything), customer), everything)
        eligible = np.ones(len(everything), bool)
        if not include_rated:
            eligible[self.ratings.products[self.ratings.customers == customer]] = False
        return top_n(scores.astype(np.float32), n, eligible=eligible)

    def state(self) -> Arrays:
        self.require(self.ratings is not None)
        table = self.ratings
        assert table is not None
        margins: dict[str, npt.NDArray[Any]] = {}
        for name, found in self._margins.items():
            margins |= found.state(f"margin_{name}")
        return {
            "shape": np.array([table.n_customers, table.n_products], np.int64),
            "scale": np.array([table.low, table.high]),
            "rated_customers": table.customers,
            "rated_products": table.products,
            "rated_values": table.values,
            **self.means.state(),
            **margins,
            **{f"model_{name}": array for name, array in self.learned().items()},
        }

    def restore(self, state: Arrays) -> None:
        shape, scale = state["shape"], state["scale"]
        self.ratings = Ratings(
            state["rated_customers"], state["rated_products"], state["rated_values"],
            int(shape[0]), int(shape[1]), float(scale[0]), float(scale[1]),
        )  # fmt: skip
        self.means = Means.restore(dict(state))
        self._margins = {kind.name: Margins.restore(dict(state), f"margin_{kind.name}") for kind in Basis}
        self.take({name[6:]: array for name, array in state.items() if name.startswith("model_")})

    def _values(
        self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer]
    ) -> tuple[Floats, npt.NDArray[np.int8]]:
        raw, basis = self._raw(customers, products)
        return self._clip(raw), basis

    def _raw(
        self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer]
    ) -> tuple[Floats, npt.NDArray[np.int8]]:
        counts = self._counts(customers, products)
        basis = ((counts[0] == 0) * 1 + (counts[1] == 0) * 2).astype(np.int8)
        found = self.means.at(customers, products)
        model = basis == Basis.MODEL
        if model.any():
            found[model] = self.estimate(customers[model].astype(np.int64), products[model].astype(np.int64))
        return found, basis

    def _counts(
        self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Ratings of each customer and of each product; 0 outside the known range."""
        assert self.ratings is not None
        return (
            _look_up(self.ratings.customer_counts, customers),
            _look_up(self.ratings.product_counts, products),
        )

    def _support(self, customers: npt.NDArray[np.integer], products: npt.NDArray[np.integer]) -> Floats:
        """n m / (n + m): the variance of a customer's mean plus a product's mean, upside down."""
        n, m = self._counts(customers, products)
        return np.asarray(n * m / np.maximum(n + m, 1), np.float64)

    def _calibrate(self, held: Ratings, estimates: Floats) -> dict[str, Margins]:
        """Margins of the model on held-out pairs it can score, and of each fallback on all of them."""
        who, what = held.customers, held.products
        nobody = np.full(len(held), -1)
        support, coverage = self._support(who, what), self.config.coverage
        n, m = self._counts(who, what)
        rated = (n > 0) & (m > 0)
        found = {
            Basis.MODEL.name: Margins.fit((held.values - estimates)[rated], support[rated], coverage=coverage)
        }
        fallbacks = {
            Basis.PRODUCT_MEAN: (self.means.at(nobody, what), m > 0),
            Basis.CUSTOMER_MEAN: (self.means.at(who, nobody), n > 0),
            Basis.OVERALL_MEAN: (self.means.at(nobody, nobody), np.ones(len(held), bool)),
        }
        for kind, (value, usable) in fallbacks.items():
            residuals = held.values[usable] - self._clip(value[usable])
            found[kind.name] = Margins.fit(residuals, np.zeros(len(residuals)), coverage=coverage, groups=1)
        return found

    def _clip(self, values: Floats) -> Floats:
        assert self.ratings is not None
        return np.clip(values, self.ratings.low, self.ratings.high)


def _look_up(table: npt.NDArray[np.int64], index: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    known = (index >= 0) & (index < len(table))
    return np.where(known, table.take(index, mode="clip"), 0)
