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
def predictions(service: ServiceOf, customer: Id = None, product: Id = None, session: Id = None) -> Json:
    """What a shopper will do: probabilities and amounts with intervals, and the reasons with their size."""
    ids = service.shoppers
    found = service.predict(
        ids.customer(customer) if customer is not None else None,
        product=product,
        session=ids.session(session) if session is not None else None,
    )
    return Json(payload(found))
