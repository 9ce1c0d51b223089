"""The events that predictions read, in the indices of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from storewise.data.dataset import Dataset
from storewise.data.identities import Owners
from storewise.engine.serving.catalogue import Catalogue
from storewise.predict.features.events import DAY_S, EventLog

SESSION_DAYS = 30.0  # a session that was quiet for longer counts as new


def serving_log(
    behaviour: Dataset, catalogue: Catalogue, customers: Mapping[str, int], watermark: float
) -> tuple[EventLog, dict[str, int]]:
    """All events of customers, and those of the sessions of the last 30 days, in the indices of training; session
    pseudonym → its number among the log's sessions. Products that training has not seen fall out."""
    log = EventLog.of(behaviour)
    who = np.array([customers[name] for name in behaviour.customer_ids], np.int64)
    what = np.array([catalogue.index.get(name, -1) for name in behaviour.product_ids], np.int64)
    where, sessions = _recent_sessions(log, behaviour, watermark)
    n_customers = len(customers)
    # Old actor → new one: customers as training has them, sessions behind them, -1 for who falls out.
    actors = np.r_[who, np.where(where >= 0, n_customers + where, -1)]
    kept = (log.customers >= 0) & (log.customers < len(actors))
    kept[kept] = (actors[log.customers[kept]] >= 0) & (what[log.products[kept]] >= 0)
    part = log.select(kept)
    number = None if part.sessions is None else np.append(where, -1)[part.sessions]  # -1 stays -1
    order = np.lexsort((part.at, actors[part.customers])) if len(part) else np.empty(0, np.int64)
    renumbered = replace(
        part, customers=actors[part.customers], products=what[part.products],
        sessions=None if number is None else number.astype(np.int32), n_customers=n_customers,
        n_products=len(catalogue), owners=_owners(log.owners, where, who, len(sessions)),
    )  # fmt: skip
    return renumbered.select(order), sessions


def _recent_sessions(
    log: EventLog, behaviour: Dataset, watermark: float
) -> tuple[np.typing.NDArray[np.int64], dict[str, int]]:
    """New number of each session, -1 for those that were quiet for too long; pseudonym → new number."""
    where = np.full(len(log.owners), -1, np.int64)
    if log.sessions is None:
        return where, {}
    lately = (log.at >= watermark - SESSION_DAYS * DAY_S) & (log.sessions >= 0)
    recent = np.unique(log.sessions[lately])
    where[recent] = np.arange(len(recent))
    names = behaviour.extra["sessions"]["session_id"].gather(recent).to_list()
    return where, {name: number for number, name in enumerate(names)}


def _owners(
    old: Owners, where: np.typing.NDArray[np.int64], who: np.typing.NDArray[np.int64], n: int
) -> Owners:
    kept = where >= 0
    customers = old.customers[kept]
    named = np.where(customers >= 0, who[np.maximum(customers, 0)], -1) if len(who) else customers
    assert len(customers) == n
    return Owners(named, old.since[kept], old.until[kept])
