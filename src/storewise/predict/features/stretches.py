"""Events as rows of one actor each, with the moments at which the row holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from storewise.data.identities import Owners
from storewise.predict.features.trails import Floats


def stretches(given: dict[str, Any], told: Floats, owners: Owners, n_customers: int) -> dict[str, Any]:
    """The events' rows: one for each stretch of moments in which an event has one actor, in the order of events."""
    who, where = given["customers"], given["sessions"].astype(np.int64)
    anonymous = (who < 0) & (where >= 0)
    actor = np.where(anonymous, n_customers + where, who)
    given |= {"anonymous": anonymous, "customers": actor}
    owned = anonymous.copy()
    owned[anonymous] = owners.customers[where[anonymous]] >= 0
    if not owned.any():
        return given
    rest, mine = np.flatnonzero(~owned), np.flatnonzero(owned)
    session, since, until = where[mine], owners.since[where[mine]], owners.until[where[mine]]
    never = np.full(len(mine), np.inf)
    event = np.concatenate([rest, mine, mine, mine])
    whose = np.concatenate([actor[rest], actor[mine], owners.customers[session], actor[mine]])
    start = np.concatenate(
        [told[rest], told[mine], np.maximum(told[mine], since), np.maximum(told[mine], until)]
    )
    stop = np.concatenate([np.full(len(rest), np.inf), since, until, never])
    kept = np.flatnonzero(start < stop)
    kept = kept[np.lexsort((start[kept], event[kept]))]
    event = event[kept]
    rows = {name: None if part is None else part[event] for name, part in given.items()}
    first = np.r_[True, event[1:] != event[:-1]]
    return rows | {"customers": whose[kept], "known": start[kept], "until": stop[kept], "first": first}
