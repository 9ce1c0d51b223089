"""Whose an event is, as it could be known at each moment.

A session is a customer's from the moment after the first event in it that names them, until a second customer signs
in during it: from then on its anonymous events are nobody's again. Events before the sign-in become the customer's
only then, so that what a later sign-in tells cannot be seen at an earlier moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Owners:
    """By session (n_sessions,): the first customer who signed in, -1 for none; theirs at moments in (since, until].

    >>> found = Owners.of([0, 0, 1], [7, 8, 9], [10.0, 30.0, 5.0], n_sessions=3)
    >>> found.at(np.array([0, 0, 0, 1, 2]), np.array([10.0, 11.0, 31.0, 9.0, 9.0])).tolist()
    [-1, 7, -1, 9, -1]
    """

    customers: Ints
    since: Floats
    until: Floats

    @classmethod
    def of(
        cls, sessions: npt.ArrayLike, customers: npt.ArrayLike, known: npt.ArrayLike, *, n_sessions: int
    ) -> Owners:
        """From events that name a customer in a session: (k,) session, customer and the moment it was known."""
        where, who, when = (
            np.asarray(sessions, np.int64),
            np.asarray(customers, np.int64),
            np.asarray(known, np.float64),
        )
        owner = np.full(n_sessions, -1, np.int64)
        since, until = np.full(n_sessions, np.inf), np.full(n_sessions, np.inf)
        latest_first = np.lexsort((-np.arange(len(when)), -when))
        owner[where[latest_first]] = who[latest_first]
        np.minimum.at(since, where, when)
        other = who != owner[where]
        np.minimum.at(until, where[other], when[other])
        return cls(owner, since, until)

    def __len__(self) -> int:
        return len(self.customers)

    def at(self, sessions: npt.NDArray[np.integer[Any]], moments: Floats) -> Ints:
        """(n,): the customer of each session (-1: no session) as known at a moment, -1 for nobody."""
        if not len(self):
            return np.full(np.shape(sessions), -1, np.int64)
        safe = np.maximum(sessions, 0)
        theirs = (sessions >= 0) & (self.since[safe] < moments) & (moments <= self.until[safe])
        return np.where(theirs, self.customers[safe], -1)
