"""Logged decisions as the estimators read them, and the policy to be judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PROPENSITY_REMEDY = (
    "Log the probability with which each action was really chosen; drop rows whose policy could not have "
    "chosen otherwise, or that were not logged with it: no estimator can repair them."
)


@dataclass(frozen=True)
class BanditLog:
    """n decisions: ``actions`` (n,) codes 0 … ``n_actions`` - 1, ``rewards`` (n,), ``propensities`` (n,) of the
    chosen action at its place under the logging policy, ``places`` (n,) from 0, ``contexts`` (n, d)."""

    actions: Ints
    rewards: Floats
    propensities: Floats
    places: Ints
    contexts: Floats
    n_actions: int

    @classmethod
    def of(
        cls,
        actions: npt.ArrayLike,
        rewards: npt.ArrayLike,
        propensities: npt.ArrayLike,
        *,
        places: npt.ArrayLike | None = None,
        contexts: npt.ArrayLike | None = None,
        n_actions: int | None = None,
    ) -> BanditLog:
        """From anything array-like.

        Raises:
            DataError: for an empty log, and for the first row with a missing reward or a propensity that is
                missing, not above 0, or above 1.

        >>> BanditLog.of([0, 1], [1, 0], [0.5, 0.0])
        Traceback (most recent call last):
        ...
        storewise.core.errors.DataError: Row 1: the propensity is 0.0; it must be above 0 and at most 1 (1 such \
row in 2). Log the probability with which each action was really chosen; drop rows whose policy could not have \
chosen otherwise, or that were not logged with it: no estimator can repair them.
        """
        chosen = np.asarray(actions, np.int64)
        n = len(chosen)
        if not n:
            raise DataError("The log has no rows.", next_step="Give a log with at least one decision.")
        log = cls(
            chosen,
            np.asarray(rewards, np.float64),
            np.asarray(propensities, np.float64),
            np.zeros(n, np.int64) if places is None else np.asarray(places, np.int64),
            np.zeros((n, 0)) if contexts is None else np.asarray(contexts, np.float64).reshape(n, -1),
            int(chosen.max()) + 1 if n_actions is None else n_actions,
        )
        log.check()
        return log

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def n_places(self) -> int:
        return int(self.places.max()) + 1

    def part(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> BanditLog:
        """Some of the rows."""
        return BanditLog(
            self.actions[rows], self.rewards[rows], self.propensities[rows], self.places[rows],
            self.contexts[rows], self.n_actions,
        )  # fmt: skip

    def check(self) -> None:
        """Raise for what no estimator can use (see :meth:`of`)."""
        for name in ("rewards", "propensities", "places"):
            if len(getattr(self, name)) != len(self):
                raise DataError(
                    f"{len(getattr(self, name))} {name} for {len(self)} decisions.",
                    next_step="Give one for each decision.",
                )
        check_rows(self.rewards, ~np.isfinite(self.rewards), "reward", "it must be a number", REWARD_REMEDY)
        check_propensities(self.propensities)
        if self.actions.min() < 0 or self.actions.max() >= self.n_actions:
            raise DataError(
                f"Action {int(self.actions.max())} with {self.n_actions} actions.",
                next_step="Count all actions, from 0.",
            )


REWARD_REMEDY = "Write 0 where there was no reward; leave out rows whose outcome is not known yet."


def check_propensities(values: Floats) -> None:
    """Raise for the first propensity that is missing, not above 0, or above 1.

    Raises:
        DataError: naming row, value and remedy.
    """
    bad = ~((values > 0) & (values <= 1))  # NaN compares as False
    check_rows(values, bad, "propensity", "it must be above 0 and at most 1", PROPENSITY_REMEDY)


def check_rows(values: Floats, bad: npt.NDArray[np.bool_], what: str, rule: str, remedy: str) -> None:
    """Raise for the first bad row.

    Raises:
        DataError: naming row (from 0), value and how many there are.
    """
    if bad.any():
        row, count = int(np.flatnonzero(bad)[0]), int(bad.sum())
        value = "missing" if np.isnan(values[row]) else float(values[row])
        raise DataError(
            f"Row {row}: the {what} is {value}; {rule} ({count} such row{'s' * (count > 1)} in {len(values)}).",
            next_step=remedy,
        )


@dataclass(frozen=True)
class Target:
    """The policy to be judged: ``table`` (g, n_actions), a distribution a row, and which of them each decision
    has: ``rows`` (n,). A policy without contexts has one row a place; one with contexts a row a decision.

    >>> log = BanditLog.of([0, 1, 1], [1, 0, 1], [0.5, 0.5, 0.5])
    >>> Target.by_place(np.array([[0.2, 0.8]]), log).weights(log).tolist()
    [0.4, 1.6, 1.6]
    """

    table: Floats
    rows: Ints

    @classmethod
    def by_place(cls, table: Floats, log: BanditLog) -> Target:
        """The same distribution for all decisions at a place; one row: for all places.

        Raises:
            DataError: for a place without a row, or a row that is no distribution.
        """
        rows = np.zeros(len(log), np.int64) if len(table) == 1 else log.places
        if rows.max() >= len(table):
            raise DataError(
                f"The policy has {len(table)} places, the log {log.n_places}.",
                next_step="Give the policy a distribution for each place, or one for all.",
            )
        found = cls(np.asarray(table, np.float64), rows)
        found.check(log)
        return found

    @classmethod
    def by_row(cls, table: Floats, log: BanditLog) -> Target:
        """One distribution a decision.

        Raises:
            DataError: for a row that is no distribution.
        """
        found = cls(np.asarray(table, np.float64), np.arange(len(log)))
        found.check(log)
        return found

    def check(self, log: BanditLog) -> None:
        """Raise for what is no distribution over the log's actions."""
        if self.table.shape[1] != log.n_actions or len(self.rows) != len(log):
            raise DataError(
                f"The policy has {self.table.shape[1]} actions, the log {log.n_actions}.",
                next_step="Give the policy's probability of every action.",
            )
        sums = self.table.sum(axis=1)
        bad = ~((np.abs(sums - 1) < 1e-3) & (self.table >= 0).all(axis=1))
        check_rows(
            sums, bad, "sum of the policy's probabilities", "it must be 1, none below 0", "Normalise them."
        )

    def weights(self, log: BanditLog) -> Floats:
        """(n,) target probability over propensity of what was logged."""
        return self.table[self.rows, log.actions] / log.propensities
