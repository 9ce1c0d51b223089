"""The policy's contract: what is offered becomes a slate whose probability is known exactly."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.component import Component
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.explore.orders.base import Order

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EMPTY = -1
"""The arm of a place that was left empty."""

ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True)
class Context:
    """What can be shown now: m arms for ``places`` places.

    ``arms`` (m,) whole numbers from 0, each once; ``features`` (m, d), one row an arm (what is known of the
    shopper and of the arm; d may be 0); ``values`` and ``deviations`` (m,), the probability of reward that a
    predictor gives each arm and its standard error, where there is one.

    >>> Context.of([4, 7, 2], places=2).features.shape
    (3, 0)
    """

    arms: Ints
    features: Floats
    places: int = 1
    values: Floats | None = None
    deviations: Floats | None = None

    @classmethod
    def of(
        cls,
        arms: npt.ArrayLike,
        *,
        features: npt.ArrayLike | None = None,
        places: int = 1,
        values: npt.ArrayLike | None = None,
        deviations: npt.ArrayLike | None = None,
    ) -> Context:
        """From anything array-like.

        Raises:
            DataError: for no arms, an arm twice or below 0, fewer arms than places, parts that do not fit, NaN.
        """
        offered = np.asarray(arms, np.int64).ravel()
        rows = np.zeros((len(offered), 0)) if features is None else np.asarray(features, np.float64)
        parts = [None if part is None else np.asarray(part, np.float64) for part in (values, deviations)]
        found = cls(offered, rows, places, *parts)
        found.check()
        return found

    def __len__(self) -> int:
        return len(self.arms)

    def check(self) -> None:
        """Raise for what no policy can decide on (see :meth:`of`)."""
        m = len(self)
        if not 1 <= self.places <= m:
            raise DataError(
                f"{self.places} places for {m} arms.",
                next_step="Offer at least one arm a place, and at least one place.",
            )
        if (self.arms < 0).any() or len(np.unique(self.arms)) < m:
            raise DataError(
                "An arm stands twice among those offered, or is below 0.",
                next_step="Offer every arm once, by its number.",
            )
        for name in ("features", "values", "deviations"):
            part = getattr(self, name)
            if part is not None and (len(part) != m or not np.isfinite(part).all()):
                raise DataError(
                    f"The {name} have {len(part)} rows for {m} arms, or are not finite.",
                    next_step="Give one row of finite numbers an arm.",
                )


@dataclass(frozen=True)
class Decision:
    """What was decided, and how likely it was.

    ``arms`` (k,): the slate, first place first. ``propensities`` (k,): the exact probability that the policy,
    in its present state and for this context, puts that arm at that place. ``inclusions`` (k,): that it puts
    the arm at any place. ``slate_propensity``: that it shows this very slate. ``scores`` (m,): what the policy
    thinks of each offered arm.
    """

    arms: Ints
    propensities: Floats
    inclusions: Floats
    slate_propensity: float
    scores: Floats


@dataclass(frozen=True)
class Logged:
    """Decisions and what came of them, n slates of k places.

    ``arms`` (n, k), ``EMPTY`` where there was none; ``rewards`` (n, k); ``features`` (n, k, d) of the arms
    shown; ``propensities`` (n, k), exact, NaN where unknown; ``weights`` (n,): how much each slate counts as
    evidence.

    >>> len(Logged.of(arms=[3, 1], rewards=[0, 1]))
    2
    """

    arms: Ints
    rewards: Floats
    features: Floats
    propensities: Floats
    weights: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(
        cls,
        *,
        arms: npt.ArrayLike,
        rewards: npt.ArrayLike,
        features: npt.ArrayLike | None = None,
        propensities: npt.ArrayLike | None = None,
        weights: npt.ArrayLike | None = None,
    ) -> Logged:
        """From anything array-like; one place may be given flat: (n,), with features (n, d).

        Raises:
            DataError: naming the first row with a missing reward, and for parts that do not fit.
        """
        shown = np.asarray(arms, np.int64)
        k = 1 if shown.ndim < 2 else shown.shape[1]
        shown = shown.reshape(-1, k)
        n = len(shown)
        rows = np.zeros((n, k, 0)) if features is None else np.asarray(features, np.float64)
        found = cls(
            shown,
            np.asarray(rewards, np.float64).reshape(-1, k),
            rows.reshape(n, k, rows.shape[-1]),
            np.full((n, k), np.nan)
            if propensities is None
            else np.asarray(propensities, float).reshape(-1, k),
            np.ones(n) if weights is None else np.asarray(weights, np.float64),
        )
        found.check()
        return found

    def __len__(self) -> int:
        return len(self.arms)

    def part(self, rows: npt.NDArray[np.int64] | slice) -> Logged:
        """Some of the slates."""
        return Logged(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def check(self) -> None:
        """Raise for what no policy can learn from (see :meth:`of`)."""
        for name in ("rewards", "propensities", "weights"):
            if len(getattr(self, name)) != len(self):
                raise DataError(
                    f"{len(getattr(self, name))} {name} for {len(self)} decisions.",
                    next_step="Give one for each decision.",
                )
        bad = ~np.isfinite(self.rewards) & (self.arms >= 0)
        if bad.any():
            row, place = (int(part[0]) for part in np.nonzero(bad))
            raise DataError(
                f"The reward of decision {row}, place {place}, is {self.rewards[row, place]}.",
                next_step="Leave out decisions whose outcome is not known yet, or write 0 for no reward.",
            )
        if not np.isfinite(self.features[self.arms >= 0]).all():
            raise DataError("A feature is not finite.", next_step="Fill missing features before learning.")


class Policy(Component[ConfigT]):
    """Decides what to show, and learns from batches of what came of it.

    A fresh policy decides from its prior; arms that it has never met are normal. The order within a batch does
    not matter, and a restored policy decides exactly as the stored one with the same generator.
    ``contextual``: it reads features, and learns nothing from decisions without them.
    """

    contextual: ClassVar[bool] = False

    @abstractmethod
    def order(self, context: Context) -> Order:
        """The exact distribution of slates that :meth:`decide` draws from."""

    @abstractmethod
    def scores(self, context: Context) -> Floats:
        """(m,) what the policy thinks each arm is worth, without exploration."""

    @abstractmethod
    def update(self, batch: Logged) -> None:
        """Learn from decisions of any policy; an empty batch changes nothing.

        Raises:
            DataError: for features of another width than before.
        """

    def decide(self, context: Context, rng: np.random.Generator) -> Decision:
        """One slate, with its exact propensities."""
        order = self.order(context)
        places = order.sample(rng)
        return Decision(
            context.arms[places],
            np.array([order.at(int(row), place) for place, row in enumerate(places)]),
            np.array([order.anywhere(int(row)) for row in places]),
            order.probability(places),
            self.scores(context),
        )

    def choices(self, arms: Ints, features: Floats, rng: np.random.Generator) -> Ints:
        """(n,) one arm for each of n contexts, all offered the same ``arms`` (m,); ``features`` (n, m, d).

        What :meth:`decide` does, without propensities: for simulations.
        """
        rows = (self.order(Context(arms, part)).sample(rng)[0] for part in features)
        return arms[np.fromiter(rows, np.int64, len(features))]

    def warm_start(self, log: Logged, *, trust: float = 1.0) -> None:
        """Learn from the log of another policy, each decision counting as ``trust`` of an own one.

        The rewards of an arm given its features are the same whoever showed it, so the posterior needs no
        importance weights; ``trust`` below 1 is for logs of another season or another page.
        """
        self.update(replace(log, weights=log.weights * trust))
