"""What may be shown at all: hard rules before the list is made, asserted again when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from storewise.understand.attributes.canonical import asked

Mask = npt.NDArray[np.bool_]


class Shelf(Protocol):
    """What the rules ask of a catalogue; arrays are (n_products,)."""

    @property
    def active(self) -> Mask: ...
    @property
    def in_stock(self) -> Mask: ...
    @property
    def sold_out(self) -> Mask: ...
    @property
    def prices(self) -> npt.NDArray[np.int64]: ...
    @property
    def category_names(self) -> list[str]: ...
    @property
    def category_codes(self) -> npt.NDArray[np.int32]: ...
    @property
    def attribute_index(self) -> dict[tuple[str, str], npt.NDArray[np.int32]]: ...


@dataclass(frozen=True, slots=True)
class Filters:
    """What a request asks for. Several categories mean any of them, several attributes all of them.

    Prices are minor units, both bounds inclusive; a product without a price never passes a price bound.
    """

    categories: tuple[str, ...] = ()
    price_min: int | None = None
    price_max: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    in_stock: bool = False


class Eligibility:
    """Masks for one catalogue; the last ``remember`` different filters are kept.

    Inactive products never pass. ``hide_out_of_stock``: nor do products whose known stock is used up;
    where the shop does not say its stock, nothing is hidden for it.
    """

    def __init__(self, shelf: Shelf, *, hide_out_of_stock: bool = True, remember: int = 256) -> None:
        self._shelf = shelf
        self._hide_out_of_stock = hide_out_of_stock
        self._remember = remember
        self._masks: dict[Filters, Mask] = {}

    def mask(self, filters: Filters) -> Mask:
        """(n_products,) bool, shared: copy before writing."""
        found = self._masks.get(filters)
        if found is None:
            found = self._build(filters)
            found.setflags(write=False)
            if len(self._masks) >= self._remember:
                self._masks.pop(next(iter(self._masks)), None)
            self._masks[filters] = found
        return found

    def _build(self, filters: Filters) -> Mask:
        shelf = self._shelf
        mask = shelf.active.copy()
        if self._hide_out_of_stock:
            mask &= ~shelf.sold_out
        if filters.in_stock:
            mask &= shelf.in_stock
        if filters.categories:
            names = shelf.category_names
            codes = [names.index(name) for name in filters.categories if name in names]
            mask &= np.isin(shelf.category_codes, codes)
        if filters.price_min is not None:
            mask &= (shelf.prices >= filters.price_min) & (shelf.prices >= 0)
        if filters.price_max is not None:
            mask &= (shelf.prices <= filters.price_max) & (shelf.prices >= 0)
        for name, value in filters.attributes:
            having = np.zeros(len(mask), bool)
            index = shelf.attribute_index
            rows = index.get((name.lower(), value.lower()), index.get(asked(name, value)))
            if rows is not None:
                having[rows] = True
            mask &= having
        return mask
