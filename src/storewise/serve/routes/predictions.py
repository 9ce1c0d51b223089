"""``GET /v1/predictions``"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from storewise.engine.predict import payload
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(prefix="/v1", tags=["predictions"])
Id = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.get("/predictions", response_class=Json)
def predictions(
    service: ServiceOf,
    customer: Id = None,
    product: Id = None,
    session: Id = None,
    slot: Id = None,
    position: Annotated[int | None, Query(ge=0, le=10_000)] = None,
) -> Json:
    """What a customer or an anonymous session will do: probabilities and amounts with intervals, and the reasons with
    their size. ``slot`` and ``position`` (from 0): where a product is shown, else the first place is assumed."""
    ids = service.shoppers
    found = service.predict(
        ids.customer(customer) if customer is not None else None,
        product=product,
        session=ids.session(session) if session is not None else None,
        slot=slot,
        position=position,
    )
    return Json(payload(found))
