"""Who is asked about at the moment of asking, and all that is known of them: stored events and live ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from storewise.engine.predictions.learned import Predictions
from storewise.engine.serving.live import Live, LiveEvent, customer_key, session_key
from storewise.engine.serving.sign_ins import SignIns
from storewise.engine.serving.snapshot import Snapshot
from storewise.predict.features import EventLog, Trails
from storewise.predict.features.events import CODE


@dataclass(frozen=True)
class Actor:
    """``customer``: a pseudonym, None for an anonymous session; ``sessions``: whose anonymous events are theirs now;
    ``lost``: sessions that training took for theirs, in which somebody else has signed in since."""

    customer: str | None
    sessions: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def actor_of(
    snapshot: Snapshot, signed: SignIns, customer: str | None, session: str | None, now: float
) -> Actor:
    """As identities are known at ``now``: a session is the customer's who alone signed in during it. A request that
    names both says that the session is theirs, unless somebody else signed in too."""
    owner = _owner(snapshot, signed, session, now) if session is not None else None
    if customer is None and owner is None:
        return Actor(None, () if session is None else (session,))
    who = customer if customer is not None else str(owner)
    asked = (session,) if session is not None else ()
    candidates = dict.fromkeys((*_trained_sessions(snapshot, who), *signed.sessions(who), *asked))
    owners = {name: _customers(snapshot, signed, name, now) for name in candidates}
    mine = tuple(name for name, found in owners.items() if found <= {who} and (found or name == session))
    lost = tuple(name for name, found in owners.items() if len(found) > 1)
    return Actor(who, mine, lost)


def trail_of(snapshot: Snapshot, actor: Actor, live: Live, found: Predictions, now: float) -> Trails:
    """The actor's events before ``now``: those of the store, and live ones that training has not seen: since the
    watermark, or earlier ones that came late."""
    log = snapshot.log
    keys = [session_key(name) for name in actor.sessions]
    if actor.customer is not None:
        keys.insert(0, customer_key(actor.customer))
    who = snapshot.customer_index.get(actor.customer, -1) if actor.customer is not None else -1
    parts = [] if log is None else [_stored(snapshot, log, actor, who, now)]
    parts.append(_fresh(snapshot, live.of(*keys), found, parts))
    products, kinds, at, quantity, spend = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Trails.single(products, kinds, at, quantity, spend, now=now, customer=who)


Columns = tuple[
    np.typing.NDArray[np.int64], np.typing.NDArray[np.int8], np.typing.NDArray[np.float64],
    np.typing.NDArray[np.float64], np.typing.NDArray[np.float64],
]  # fmt: skip


def _stored(snapshot: Snapshot, log: EventLog, actor: Actor, who: int, now: float) -> Columns:
    """A customer's rows that hold now, without those of lost sessions, and the rows of sessions that became theirs."""
    numbers = {snapshot.session_index[name] for name in actor.sessions if name in snapshot.session_index}
    rows = _rows(log, who, now)
    if actor.lost and log.sessions is not None and log.anonymous is not None:
        lost = [snapshot.session_index[name] for name in actor.lost if name in snapshot.session_index]
        rows = rows[~(log.anonymous[rows] & np.isin(log.sessions[rows], lost))]
    more = [_rows(log, log.n_customers + number, now) for number in sorted(numbers)]
    kept = np.concatenate([rows, *more])
    return log.products[kept], log.kinds[kept], log.at[kept], log.quantity[kept], log.spend_minor[kept]


def _rows(log: EventLog, actor: int, now: float) -> np.typing.NDArray[np.int64]:
    if not 0 <= actor < log.n_actors:
        return np.empty(0, np.int64)
    rows = np.arange(log.indptr[actor], log.indptr[actor + 1])
    return rows[log.holds(now, rows)]


def _fresh(
    snapshot: Snapshot, live: Iterable[LiveEvent], found: Predictions, stored: Sequence[Columns]
) -> Columns:
    index = snapshot.catalogue.index
    there = [e for e in live if e.product_id in index and e.kind in CODE]
    held: set[tuple[int, int, int]] = set()
    if any(e.at < snapshot.watermark for e in there):
        held = {_key(p, k, t) for part in stored for p, k, t in zip(*part[:3], strict=True)}
    fresh = [
        e for e in there
        if e.at >= snapshot.watermark or _key(index[e.product_id], CODE[e.kind], e.at) not in held
    ]  # fmt: skip
    products = np.array([index[e.product_id] for e in fresh], np.int64)
    units = np.array([e.quantity or 1 for e in fresh], np.float64)
    kinds = np.array([CODE[e.kind] for e in fresh], np.int8)
    at = np.array([e.at for e in fresh], np.float64)
    return products, kinds, at, units, units * found.facts.price_minor[products]


def _key(product: int, kind: int, at: float) -> tuple[int, int, int]:
    return int(product), int(kind), round(1e3 * float(at))


def _customers(snapshot: Snapshot, signed: SignIns, session: str, now: float) -> set[str]:
    """Who signed in during a session before ``now``; of more than one some, but more than one."""
    found = {name for name, at in signed.of(session).items() if at < now}
    number = snapshot.session_index.get(session)
    if number is None or snapshot.log is None:
        return found
    owners = snapshot.log.owners
    if owners.customers[number] >= 0 and owners.since[number] < now:
        found.add(snapshot.customer_names[int(owners.customers[number])])
    if owners.until[number] < now:
        found.add("")  # somebody else, who need not be told apart
    return found


def _owner(snapshot: Snapshot, signed: SignIns, session: str, now: float) -> str | None:
    found = _customers(snapshot, signed, session, now)
    return next(iter(found)) if len(found) == 1 else None


def _trained_sessions(snapshot: Snapshot, customer: str) -> list[str]:
    """Sessions of the snapshot in which the customer was the first to sign in."""
    who = snapshot.customer_index.get(customer, -1)
    if who < 0 or snapshot.log is None:
        return []
    return [snapshot.session_names[number] for number in np.flatnonzero(snapshot.log.owners.customers == who)]
