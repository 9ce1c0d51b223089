"""What several routes ask of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from storewise.core.errors import UnknownName
from storewise.engine.serving.catalogue import Catalogue
from storewise.engine.serving.service import Service


async def service_of(request: Request) -> Service:
    """The service behind the app."""
    found: Service = request.app.state.service
    return found


ServiceOf = Annotated[Service, Depends(service_of)]


def product_of(catalogue: Catalogue, product_id: str) -> int:
    """The index of a product.

    Raises:
        UnknownName: when the serving snapshot does not know it.
    """
    found = catalogue.index.get(product_id)
    if found is None:
        raise UnknownName(
            f"There is no product {product_id!r} in the serving snapshot.",
            next_step="List products with GET /v1/products; a new product appears after training.",
        )
    return found
