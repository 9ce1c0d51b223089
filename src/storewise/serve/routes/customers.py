"""Customers and sessions: who there is, and what they did."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import APIRouter, Path, Query

from storewise.core.clock import seconds
from storewise.engine.serving.service import Service
from storewise.engine.serving.snapshot import Snapshot, moment
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(prefix="/v1", tags=["customers"])
Length = Annotated[int, Query(ge=1, le=1000)]
ShopperId = Annotated[str, Path(max_length=200)]


@router.get("/customers", response_class=Json)
def customers(service: ServiceOf, q: Annotated[str, Query(max_length=200)] = "", n: Length = 20) -> Json:
    """Customers whose pseudonym begins with ``q`` or whose id it is; without ``q`` a sample."""
    snapshot = service.current()
    counts = np.diff(snapshot.histories.indptr)
    if q:
        exact = service.shoppers.customer(q)
        found = [name for name in snapshot.customer_index if name == exact or name.startswith(q)]
    else:
        found = _sample(snapshot, counts, n)
    return Json({"items": [_line(snapshot, counts, name) for name in found[:n]], "total": len(found)})


@router.get("/customers/{customer_id}", response_class=Json)
def customer(customer_id: ShopperId, service: ServiceOf, n: Length = 50) -> Json:
    """What a customer did, newest first; somebody unknown has an empty history."""
    snapshot = service.current()
    name = service.shoppers.customer(customer_id)
    known = snapshot.customer_index.get(name, snapshot.n_trained) < snapshot.n_trained
    about = _history(service, snapshot, service.store.customer_events(name), n)
    return Json({"customer_id": name, "known": known, "personal": name not in snapshot.private, **about})


@router.get("/sessions/{session_id}", response_class=Json)
def session(session_id: ShopperId, service: ServiceOf, n: Length = 50) -> Json:
    """What happened in an anonymous session, newest first."""
    snapshot = service.current()
    name = service.shoppers.session(session_id)
    about = _history(service, snapshot, service.store.session_events(name), n)
    return Json({"session_id": name, "known": False, "personal": True, **about})


def _sample(snapshot: Snapshot, counts: Any, n: int) -> list[str]:
    """Customers with long, middle and short histories, spread evenly over the ranking by length."""
    names = list(snapshot.customer_index)
    order = np.argsort(-counts[: len(names)], kind="stable")
    order = order[counts[order] > 0]
    picked = np.unique(np.geomspace(1, max(len(order), 1), n).astype(int)) - 1
    rest = [i for i in range(len(order)) if i not in set(picked.tolist())][: n - len(picked)]
    return [names[order[i]] for i in sorted([*picked.tolist(), *rest]) if i < len(order)]


def _line(snapshot: Snapshot, counts: Any, name: str) -> dict[str, Any]:
    index = snapshot.customer_index[name]
    number = int(counts[index])
    last = moment(float(snapshot.histories.at[snapshot.histories.indptr[index + 1] - 1])) if number else None
    return {"customer_id": name, "events": number, "last_at": last}


def _history(service: Service, snapshot: Snapshot, events: pl.DataFrame, n: int) -> dict[str, Any]:
    newest = events.reverse().head(n).select("at", "kind", "product_id", "quantity")
    catalogue = snapshot.catalogue
    told = []
    for row in newest.iter_rows(named=True):
        index = catalogue.index.get(row["product_id"])
        title = catalogue.titles[index] if index is not None else None
        category = catalogue.categories[index] if index is not None else None
        told.append(
            row | {"title": title, "category": category, "live": seconds(row["at"]) >= snapshot.watermark}
        )
    return {
        "events": events.height,
        "first_at": events["at"].min(),
        "last_at": events["at"].max(),
        "history": told,
    }
