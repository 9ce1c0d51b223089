"""Products, what is like them, what is bought with them, and what sells."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query

from storewise.core.errors import UnknownName
from storewise.data.interactions import Histories
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Filters
from storewise.recommend.related import Related
from storewise.recommend.request import Request
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf, product_of

router = APIRouter(prefix="/v1", tags=["products"])
Length = Annotated[int, Query(ge=1, le=100)]
ProductId = Annotated[str, Path(max_length=200)]


@router.get("/products", response_class=Json)
def search(service: ServiceOf, q: Annotated[str, Query(max_length=200)] = "", n: Length = 20) -> Json:
    """Search titles and ids: every word, in any order, also parts of words. Without ``q``: what sells."""
    snapshot = service.current()
    found, total = snapshot.catalogue.search(q.split(), n, snapshot.popularity.astype(np.float64))
    items = [
        snapshot.catalogue.payload(product) | {"active": bool(snapshot.catalogue.active[product])}
        for product in found
    ]
    return Json({"items": items, "total": total})


@router.get("/products/{product_id}", response_class=Json)
async def product(product_id: ProductId, service: ServiceOf) -> Json:
    """One product with its description and attributes."""
    snapshot = service.current()
    index = product_of(snapshot.catalogue, product_id)
    history = Histories.single([], n_products=len(snapshot.catalogue))
    reason = snapshot.popular.reasons(Request(history), np.array([index], np.int32))[0]
    return Json(snapshot.catalogue.details(index) | {"customers": int(reason.value or 0)})


@router.get("/products/{product_id}/similar", response_class=Json)
async def similar(product_id: ProductId, service: ServiceOf, n: Length = 12) -> Json:
    """What the same customers buy; where too few did, what is most like it in content. ``by`` says which."""
    snapshot = service.current()
    items = _neighbours(snapshot, snapshot.similar, product_id, n)
    for item in items:
        item["customers"] = item.pop("baskets")
        item["by"] = "customers"
        del item["lift"]
    items += _alike(snapshot, product_id, n - len(items), {item["product_id"] for item in items})
    return Json({"product_id": product_id, "items": items})


@router.get("/products/{product_id}/bought-together", response_class=Json)
async def bought_together(product_id: ProductId, service: ServiceOf, n: Length = 12) -> Json:
    """What lies in the same basket more often than by chance."""
    snapshot = service.current()
    return Json({"product_id": product_id, "items": _neighbours(snapshot, snapshot.together, product_id, n)})


@router.get("/popular", response_class=Json)
async def popular(
    service: ServiceOf, category: Annotated[str | None, Query(max_length=200)] = None, n: Length = 12
) -> Json:
    """What sells, overall or in a category."""
    snapshot = service.current()
    if category is not None and category not in snapshot.catalogue.category_names:
        raise UnknownName(
            f"There is no category {category!r}.", next_step="List them with GET /v1/categories."
        )
    mask = snapshot.eligibility.mask(Filters(categories=(category,) if category is not None else ()))
    history = Histories.single([], n_products=len(snapshot.catalogue))
    found = snapshot.popular(Request(history, eligible=mask), n)
    triples = zip(found.products.tolist(), found.scores.tolist(), found.reasons, strict=True)
    items = [
        snapshot.catalogue.payload(index) | {"score": score, "customers": int(reason.value or 0)}
        for index, score, reason in triples
    ]
    return Json({"category": category, "items": items})


@router.get("/categories", response_class=Json)
def categories(service: ServiceOf) -> Json:
    """All categories with the number of their active products."""
    catalogue = service.current().catalogue
    codes = catalogue.category_codes[catalogue.active & (catalogue.category_codes >= 0)]
    count = np.bincount(codes, minlength=len(catalogue.category_names)).tolist()
    pairs = zip(catalogue.category_names, count, strict=True)
    return Json({"items": [{"category": name, "products": number} for name, number in pairs]})


def _neighbours(snapshot: Snapshot, table: Related, product_id: str, n: int) -> list[dict[str, Any]]:
    """The best n neighbours that may be shown."""
    rows = table.of(product_of(snapshot.catalogue, product_id))
    mask = snapshot.eligibility.mask(Filters())
    columns = (table.products[rows], table.scores[rows], table.support[rows], table.lift[rows])
    items = []
    for index, score, support, lift in zip(*(column.tolist() for column in columns), strict=True):
        if mask[index]:
            about = {"score": score, "baskets": support, "lift": lift}
            items.append(snapshot.catalogue.payload(index) | about)
    return items[:n]


def _alike(snapshot: Snapshot, product_id: str, n: int, taken: set[str]) -> list[dict[str, Any]]:
    """The n nearest products in content that may be shown and are not there yet."""
    if snapshot.content is None or n <= 0:
        return []
    mask = snapshot.eligibility.mask(Filters()).copy()
    mask[[snapshot.catalogue.index[name] for name in taken]] = False
    found, scores = snapshot.content.alike(product_of(snapshot.catalogue, product_id), n, mask)
    return [
        snapshot.catalogue.payload(index) | {"score": score, "customers": 0, "by": "content"}
        for index, score in zip(found, scores, strict=True)
    ]
