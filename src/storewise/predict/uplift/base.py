"""The uplift model's contract: what each treatment changes for each person."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.predict.base import Rows, Values
from storewise.predict.uplift.learners import Base, Learner, Settings, make, restored

LEAST_PEOPLE = 20  # in every arm


@dataclass(frozen=True)
class Campaign:
    """A trial: ``rows`` known before it, ``outcomes`` (n,) of each person, ``arms`` (n,) int64 with 0 the control.

    ``propensity`` (n, n_arms): the probability that a person got each arm; None where everybody had the same.
    """

    rows: Rows
    outcomes: Values
    arms: npt.NDArray[np.int64]
    n_arms: int
    propensity: Values | None = None

    def __len__(self) -> int:
        return len(self.arms)

    def part(self, rows: npt.NDArray[Any]) -> Campaign:
        """The people of an index array or a mask."""
        propensity = None if self.propensity is None else self.propensity[rows]
        return Campaign(self.rows.part(rows), self.outcomes[rows], self.arms[rows], self.n_arms, propensity)

    @property
    def binary(self) -> bool:
        """True for outcomes of 0 and 1 only."""
        return bool(np.isin(self.outcomes, (0.0, 1.0)).all())

    def shares(self) -> Values:
        """(n, n_arms) the probability of each arm: as told, or the arms' shares."""
        if self.propensity is not None:
            return self.propensity
        found = np.bincount(self.arms, minlength=self.n_arms) / max(len(self), 1)
        return np.broadcast_to(found, (len(self), self.n_arms))

    def weights(self) -> Values | None:
        """(n,) one over the probability of the arm a person got; None where everybody had the same."""
        if self.propensity is None:
            return None
        return np.asarray(1.0 / self.propensity[np.arange(len(self)), self.arms])

    def check(self) -> None:
        """Raise for a trial that nothing can be learned from.

        Raises:
            DataError: for an arm with too few people, one outcome for all, outcomes or propensities that cannot be.
        """
        for arm, n in enumerate(np.bincount(self.arms, minlength=self.n_arms).tolist()):
            if n < LEAST_PEOPLE:
                raise DataError(
                    f"Arm {arm} has {n} people, at least {LEAST_PEOPLE} are needed.",
                    next_step="Leave the arm out, or wait for more data.",
                )
        if not np.isfinite(self.outcomes).all():
            raise DataError("Some outcomes are missing or infinite.", next_step="Fill or drop those rows.")
        if np.ptp(self.outcomes) == 0:
            raise DataError(
                f"The outcome is {self.outcomes[0]:g} for everybody.",
                next_step="Name another outcome, or wait until some people have it.",
            )
        if self.propensity is not None and not ((self.propensity > 0) & (self.propensity < 1)).all():
            raise DataError(
                "A propensity is not between 0 and 1.",
                next_step="Leave out people who could get one arm only.",
            )


class UpliftConfig(Config):
    """``base``: the learner under the model; ``l2``: the linear one's penalty; the rest is for trees."""

    base: Base = "linear"
    l2: float = Field(default=1.0, ge=0)
    rounds: int = Field(default=60, ge=1, le=5000)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    leaves: int = Field(default=6, ge=2, le=255)
    least_in_leaf: int = Field(default=200, ge=1)

    def settings(self) -> Settings:
        return Settings(self.base, self.l2, self.rounds, self.learning_rate, self.leaves, self.least_in_leaf)


@dataclass(frozen=True)
class Pair:
    """One arm beside the control: ``treated`` (n,) and ``share`` (n,), the probability of treatment among both."""

    rows: Rows
    outcomes: Values
    treated: npt.NDArray[np.bool_]
    share: Values
    binary: bool


class UpliftModel(Component[UpliftConfig]):
    """Learns each arm against the control; ``effects`` says what each arm would change.

    A person's effects depend on the row and the model alone. Missing numbers and unseen categories are normal.
    """

    Config = UpliftConfig

    def __init__(self, config: UpliftConfig | None = None) -> None:
        super().__init__(config)
        self._arms: list[dict[str, Learner]] = []
        self._share: list[float] = []

    def train(self, data: Campaign, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        """Learn from a trial.

        Raises:
            DataError: see :meth:`Campaign.check`.
        """
        data.check()
        shares, arms, treated_share = data.shares(), [], []
        for arm in range(1, data.n_arms):
            kept = np.flatnonzero((data.arms == 0) | (data.arms == arm))
            share = shares[kept, arm] / (shares[kept, arm] + shares[kept, 0])
            pair = Pair(data.rows.part(kept), data.outcomes[kept], data.arms[kept] == arm, share, data.binary)
            arms.append(self._fit(pair, int(rng.integers(2**31))))
            treated_share.append(float(share.mean()))
        self._arms, self._share = arms, treated_share

    def effects(self, rows: Rows) -> Values:
        """(n, n_arms - 1) float64: the expected outcome under each arm less that under the control."""
        self.require(bool(self._arms))
        found = [
            self._effect(parts, rows, share) for parts, share in zip(self._arms, self._share, strict=True)
        ]
        return np.stack(found, axis=1)

    def learner(self, *, classify: bool) -> Learner:
        """An untrained base learner: a probability, or a mean."""
        return make(self.config.settings(), classify=classify)

    @abstractmethod
    def _fit(self, pair: Pair, seed: int) -> dict[str, Learner]:
        """The trained parts for one arm."""

    @abstractmethod
    def _effect(self, parts: dict[str, Learner], rows: Rows, share: float) -> Values:
        """(n,) the effect of that arm; ``share``: of the treated among treated and control in training."""

    def state(self) -> Arrays:
        self.require(bool(self._arms))
        found: dict[str, npt.NDArray[Any]] = {"shares": np.array(self._share)}
        for arm, parts in enumerate(self._arms):
            for part, learner in parts.items():
                found |= {f"{arm}/{part}/{key}": array for key, array in learner.state().items()}
        return found

    def restore(self, state: Arrays) -> None:
        self._share = state["shares"].tolist()
        grouped: list[dict[str, dict[str, npt.NDArray[Any]]]] = [{} for _ in self._share]
        for name, array in state.items():
            if name != "shares":
                arm, part, key = name.split("/", 2)
                grouped[int(arm)].setdefault(part, {})[key] = array
        self._arms = [
            {part: restored(self.config.settings(), arrays) for part, arrays in parts.items()}
            for parts in grouped
        ]
