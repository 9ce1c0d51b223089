"""How often a value was seen before, and how often the event came with it: from earlier rows only.

For a key k (a value, or a pair of values) with n earlier rows of which s had the event, and the overall rate p of
the same rows::

    rate(k)  = ln( (s + a·p) / (n + a - s - a·p) )     log odds, shrunken towards p with the strength a
    count(k) = ln(1 + n)

Both are missing for a key that was never seen.

A training row is given what was known at its moment: rows strictly before it (Micci-Barreca, 2001, made safe as in
CatBoost's ordered statistics; Prokhorenkova et al., 2018). Without a clock, the order is one by chance. The strength
is the one whose rates predicted the training rows best, judged in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.predict.tables.hashing import Hashes

Floats = npt.NDArray[np.float64]
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True)
class Seen:
    """What is known of each row's key: ``rows`` (n,) seen with it, ``events`` among them, ``base`` (n,) the overall
    rate to shrink to."""

    rows: Floats
    events: Floats
    base: Floats

    def rate(self, strength: float) -> Floats:
        """(n,) shrunken share of events."""
        found: Floats = (self.events + strength * self.base) / (self.rows + strength)
        return found

    def loss(self, labels: Floats, strength: float) -> float:
        """Mean log loss of the rates as predictions of (n,) labels."""
        p = np.clip(self.rate(strength), 1e-9, 1 - 1e-9)
        return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


@dataclass(frozen=True)
class Table:
    """Counts of all training rows, frozen: what rows after training are given. ``keys`` rising."""

    keys: Hashes
    rows: Floats
    events: Floats
    base: float
    strength: float

    @classmethod
    def of(cls, keys: Hashes, labels: Floats, base: float, strength: float) -> Table:
        distinct, at = np.unique(keys, return_inverse=True)
        return cls(
            distinct, np.bincount(at).astype(np.float64), np.bincount(at, labels).astype(np.float64), base, strength
        )  # fmt: skip

    def seen(self, keys: Hashes) -> Seen:
        """What training knew of (n,) keys; nothing for one that is new."""
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[place] == keys
        base = np.full(len(keys), self.base)
        return Seen(np.where(known, self.rows[place], 0.0), np.where(known, self.events[place], 0.0), base)


def overall(labels: Floats, moments: npt.NDArray[np.int64]) -> Floats:
    """(n,) the rate of all earlier rows, smoothed so that it is never 0 or 1."""
    order = np.argsort(moments, kind="stable")
    before = np.searchsorted(moments[order], moments, side="left")
    events = np.append(0.0, np.cumsum(labels[order]))[before]
    # Before there is any history, one row of even odds against one in a hundred stands in for it.
    found: Floats = (events + 0.5) / (before + 50.0)
    return found


def smoothed_base(labels: Floats) -> float:
    """The rate of events, never 0 or 1."""
    return float((labels.sum() + 0.5) / (len(labels) + 1.0))


def earlier(keys: Hashes, labels: Floats, moments: npt.NDArray[np.int64], base: Floats) -> Seen:
    """Each row's key in the rows strictly before its moment; rows of the same moment do not see each other.

    >>> keys, labels = np.array([7, 7, 7], np.uint64), np.array([1.0, 0.0, 1.0])
    >>> earlier(keys, labels, np.array([5, 6, 6]), np.full(3, 0.5)).events.tolist()
    [0.0, 1.0, 1.0]
    """
    order = np.lexsort((moments, keys))
    k, m = keys[order], moments[order]
    new_key = np.append(True, k[1:] != k[:-1])
    new_moment = new_key | np.append(True, m[1:] != m[:-1])
    place = np.arange(len(keys))
    first_of_key = np.maximum.accumulate(np.where(new_key, place, 0))
    first_of_moment = np.maximum.accumulate(np.where(new_moment, place, 0))
    events = np.append(0.0, np.cumsum(labels[order]))
    rows_before, events_before = np.empty(len(keys)), np.empty(len(keys))
    rows_before[order] = first_of_moment - first_of_key
    events_before[order] = events[first_of_moment] - events[first_of_key]
    return Seen(rows_before, events_before, base)


def best_strength(seen: Seen, labels: Floats) -> tuple[float, float]:
    """The strength with the least loss, and that loss."""
    losses = [seen.loss(labels, strength) for strength in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))], min(losses)


def features(seen: Seen, strength: float) -> npt.NDArray[np.float32]:
    """(n, 2) float32: the log odds of the shrunken rate, and the log of the count; NaN for a key never seen."""
    rate = np.clip(seen.rate(strength), 1e-9, 1 - 1e-9)
    found = np.stack([np.log(rate) - np.log1p(-rate), np.log1p(seen.rows)], axis=1)
    return np.where(seen.rows[:, None] > 0, found, np.nan).astype(np.float32)
