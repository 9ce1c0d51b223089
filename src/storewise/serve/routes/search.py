"""``GET /v1/search``"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from storewise.core.config import Config, parse
from storewise.core.errors import InputError
from storewise.engine.search import MAX_QUERY, Query, payload, search
from storewise.engine.serving.reasons import language
from storewise.engine.serving.service import Service
from storewise.recommend.eligibility import Filters
from storewise.serve.answers import Json
from storewise.serve.routes.ask import attribute_pair, price_range, query_values

router = APIRouter(prefix="/v1", tags=["search"])
Id = Annotated[str, Field(min_length=1, max_length=200)]
Minor = Annotated[int, Field(ge=0, le=2**53)]
LISTS = frozenset({"category", "attribute"})


class Wanted(Config):
    """The parameters; anything else is refused."""

    q: str = Field(default="", description=f"what is looked for, at most {MAX_QUERY:,} characters")
    n: int = Field(default=20, ge=1, le=100)
    category: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    price_min: Minor | None = Field(default=None, description="minor units, inclusive")
    price_max: Minor | None = Field(default=None, description="minor units, inclusive")
    attribute: Annotated[tuple[Id, ...], Field(max_length=20, description="name:value, all must hold")] = ()
    in_stock: bool = Field(default=False, description="only products known to be in stock")
    complete: bool = Field(default=True, description="false: the last word is finished")
    lang: Literal["en", "zh"] | None = None


_PARAMETERS = [
    {"name": name, "in": "query", "required": name == "q", "schema": schema,
     "description": schema.get("description", "")}
    for name, schema in Wanted.model_json_schema()["properties"].items()
]  # fmt: skip


@router.get("/search", response_class=Json, openapi_extra={"parameters": _PARAMETERS})
def products(request: Request) -> Json:
    """Products for a shopper's words, best first, with the reason for each."""
    service: Service = request.app.state.service
    wanted = parse(Wanted, query_values(request.query_params.multi_items(), LISTS), where="query")
    low, high = price_range(wanted.price_min, wanted.price_max)
    pairs = tuple(map(attribute_pair, wanted.attribute))
    filters = Filters(wanted.category, low, high, pairs, wanted.in_stock)
    if not wanted.q.strip():
        raise InputError("q is empty.", next_step="Give q=words; what sells is at GET /v1/popular.")
    query = Query(wanted.q, wanted.n, filters, wanted.complete)
    result = search(service.current(), query)
    return Json(payload(result, language(wanted.lang, request.headers.get("accept-language"))))
