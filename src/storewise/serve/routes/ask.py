"""What several routes ask of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from storewise.core.errors import InputError, UnknownName
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


def query_values(items: list[tuple[str, str]], lists: frozenset[str]) -> dict[str, str | list[str]]:
    """Parameters that may repeat become lists; another that repeats is refused."""
    found: dict[str, str | list[str]] = {}
    for name, value in items:
        if name in lists:
            given = found.setdefault(name, [])
            assert isinstance(given, list)
            given.append(value)
        elif name in found:
            raise InputError(f"{name!r} is given twice.", next_step="Give it once.")
        else:
            found[name] = value
    return found


def price_range(low: int | None, high: int | None) -> tuple[int | None, int | None]:
    """Both bounds as given.

    Raises:
        InputError: when no price lies between them.
    """
    if low is not None and high is not None and low > high:
        raise InputError(
            f"price_min is {low}, above price_max {high}.", next_step="Give the smaller one as price_min."
        )
    return low, high


def attribute_pair(text: str) -> tuple[str, str]:
    """``name:value`` in two."""
    name, colon, value = text.partition(":")
    if not colon or not name or not value:
        raise InputError(
            f"attribute is {text!r}, it must be name:value.", next_step="For example attribute=colour:red."
        )
    return name, value
