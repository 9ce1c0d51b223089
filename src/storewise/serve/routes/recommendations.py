"""``GET /v1/recommendations``"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from storewise.core.config import Config, parse
from storewise.engine.recommend import Ask
from storewise.engine.serving.answer import payload
from storewise.engine.serving.reasons import language
from storewise.engine.serving.service import Service
from storewise.recommend.eligibility import Filters
from storewise.serve.answers import Json
from storewise.serve.routes.ask import attribute_pair, price_range, query_values

router = APIRouter(prefix="/v1", tags=["recommendations"])
Id = Annotated[str, Field(min_length=1, max_length=200)]
Minor = Annotated[int, Field(ge=0, le=2**53)]


class Wanted(Config):
    """The parameters; anything else is refused."""

    customer: Id | None = Field(default=None, description="the shop's customer id, or a pseudonym")
    session: Id | None = Field(default=None, description="an anonymous visit")
    product: Annotated[tuple[Id, ...], Field(max_length=50, description="products being looked at")] = ()
    slot: str = Field(default="home", min_length=1, max_length=64)
    n: int | None = Field(default=None, ge=1, le=100)
    category: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    price_min: Minor | None = Field(default=None, description="minor units, inclusive")
    price_max: Minor | None = Field(default=None, description="minor units, inclusive")
    attribute: Annotated[tuple[Id, ...], Field(max_length=20, description="name:value, all must hold")] = ()
    exclude: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    in_stock: bool = Field(default=False, description="only products known to be in stock")
    personal: bool = Field(default=True, description="false: use nothing known of this shopper")
    country: Id | None = Field(
        default=None, description="where the shopper is; default: as the shop knows it"
    )
    deadline_ms: float | None = Field(default=None, gt=0, le=60_000, description="time for the answer")
    explain: bool = Field(default=False, description="the retrieved order beside the shown one")
    lang: Literal["en", "zh"] | None = None


LISTS = frozenset({"product", "category", "attribute", "exclude"})
_SCHEMA = Wanted.model_json_schema()["properties"]
_PARAMETERS = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": schema.get("description", ""),
    }
    for name, schema in _SCHEMA.items()
]


# The parameters are read here and not by the framework's dependency machinery: on the way that every page
# view takes, that costs more than making the list.
@router.get("/recommendations", response_class=Json, openapi_extra={"parameters": _PARAMETERS})
async def recommendations(request: Request) -> Json:
    """A list for a shopper, with a reason for each product."""
    service: Service = request.app.state.service
    wanted = parse(Wanted, query_values(request.query_params.multi_items(), LISTS), where="query")
    answer = service.recommend(_ask(wanted, service))
    # A caller may invent slots; a label must not.
    slot = answer.ask.slot if answer.ask.slot == answer.snapshot.pipeline.slot else "other"
    request.app.state.telemetry.steps.labels(slot, answer.step).inc()
    return Json(payload(answer, language(wanted.lang, request.headers.get("accept-language"))))


def _ask(query: Wanted, service: Service) -> Ask:
    low, high = price_range(query.price_min, query.price_max)
    filters = Filters(
        query.category,
        low,
        high,
        tuple(map(attribute_pair, query.attribute)),
        query.in_stock,
    )
    ids = service.shoppers
    return Ask(
        ids.customer(query.customer) if query.customer is not None else None,
        ids.session(query.session) if query.session is not None else None,
        query.product, query.slot, query.n, filters, query.exclude, query.personal, query.country,
        query.deadline_ms, query.explain,
    )  # fmt: skip
