"""``GET /v1/recommendations``"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from storewise.core.errors import InputError
from storewise.engine.answer import payload
from storewise.engine.reasons import language
from storewise.engine.recommend import Ask
from storewise.engine.serving import Service
from storewise.recommend.eligibility import Filters
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(prefix="/v1", tags=["recommendations"])
Id = Annotated[str, Field(min_length=1, max_length=200)]
Minor = Annotated[int, Field(ge=0, le=2**53)]


class Wanted(BaseModel):
    """The parameters; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    customer: Id | None = Field(None, description="the shop's customer id, or a pseudonym")
    session: Id | None = Field(None, description="an anonymous visit")
    product: list[Id] = Field([], max_length=50, description="products being looked at")
    slot: str = Field("home", min_length=1, max_length=64)
    n: int | None = Field(None, ge=1, le=100)
    category: list[Id] = Field([], max_length=100)
    price_min: Minor | None = Field(None, description="minor units, inclusive")
    price_max: Minor | None = Field(None, description="minor units, inclusive")
    attribute: list[Id] = Field([], max_length=20, description="name:value, all must hold")
    exclude: list[Id] = Field([], max_length=1000)
    in_stock: bool = Field(False, description="only products known to be in stock")
    personal: bool = Field(True, description="false: use nothing known of this shopper")
    lang: Literal["en", "zh"] | None = None


@router.get("/recommendations", response_class=Json)
async def recommendations(query: Annotated[Wanted, Query()], request: Request, service: ServiceOf) -> Json:
    """A list for a shopper, with a reason for each product."""
    answer = service.recommend(_ask(query, service))
    request.app.state.telemetry.steps.labels(answer.ask.slot if answer.ask.slot == "home" else "other",
                                             answer.step).inc()  # fmt: skip
    told = language(query.lang, request.headers.get("accept-language"))
    return Json(payload(answer, told))


def _ask(query: Wanted, service: Service) -> Ask:
    if query.price_min is not None and query.price_max is not None and query.price_min > query.price_max:
        raise InputError(
            f"price_min is {query.price_min}, above price_max {query.price_max}.",
            next_step="Give the smaller one as price_min.",
        )
    filters = Filters(
        tuple(query.category),
        query.price_min,
        query.price_max,
        tuple(map(_pair, query.attribute)),
        query.in_stock,
    )
    ids = service.shoppers
    return Ask(
        ids.customer(query.customer) if query.customer is not None else None,
        ids.session(query.session) if query.session is not None else None,
        tuple(query.product), query.slot, query.n, filters, tuple(query.exclude), query.personal,
    )  # fmt: skip


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name or not value:
        raise InputError(
            f"attribute is {text!r}, it must be name:value.", next_step="For example attribute=colour:red."
        )
    return name, value
