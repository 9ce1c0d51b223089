"""What followed an event: the first outcome of the same product by the same actor, or in the same session."""

from __future__ import annotations

import numpy as np

from storewise.predict.features.events import EventLog, Floats, Ints, Mask


def followed(given: EventLog, actors: Ints, outcomes: EventLog, within_s: float) -> Mask:
    """(n,) whether an outcome follows each of n given events at its time or at most ``within_s`` later.

    ``actors`` (n,): whose the given events were at their time.

    >>> shown = EventLog.build([0, 0], [1, 2], [0.0, 0.0], n_customers=1, n_products=3)
    >>> clicks = EventLog.build([0, 0], [1, 2], [60.0, 9000.0], n_customers=1, n_products=3)
    >>> followed(shown, shown.customers, clicks, 1800.0).tolist()
    [True, False]
    """
    n = given.n_products
    by_actor = _first_after(
        actors * n + given.products, given.at, outcomes.customers * n + outcomes.products, outcomes.at
    )
    found = (actors >= 0) & (by_actor - given.at <= within_s)
    if given.sessions is None or outcomes.sessions is None:
        return np.asarray(found)
    once = outcomes.sessions >= 0 if outcomes.first is None else (outcomes.sessions >= 0) & outcomes.first
    keys = outcomes.sessions[once].astype(np.int64) * n + outcomes.products[once]
    session = given.sessions.astype(np.int64)
    in_session = _first_after(session * n + given.products, given.at, keys, outcomes.at[once])
    return np.asarray(found | ((session >= 0) & (in_session - given.at <= within_s)))


def _first_after(wanted: Ints, at: Floats, keys: Ints, times: Floats) -> Floats:
    """(n,) the first time of an event of the key at or after ``at``, inf where none is."""
    if not len(keys) or not len(wanted):
        return np.full(len(wanted), np.inf)
    # All in one order by (key, time), the wanted before events of the same time: the next event is a running minimum.
    order = np.lexsort((np.r_[np.zeros(len(at)), np.ones(len(times))], np.r_[at, times], np.r_[wanted, keys]))
    place = np.where(order >= len(at), np.arange(len(order)), len(order))
    following = np.minimum.accumulate(place[::-1])[::-1]
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    following = following[position[: len(at)]]
    there = following < len(order)
    event = np.where(there, order[np.minimum(following, len(order) - 1)] - len(at), 0)
    return np.where(there & (keys[event] == wanted), times[event], np.inf)
