"""What may be shown at all: hard rules before the list is made, asserted again when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
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


class ShopperRulesConfig(Config):
    """Hard rules that depend on who asks; ``None`` and empty: the shop has none.

    ``market_attribute``: a product attribute (one value or a list) with the countries where it may be sold; a product
    without it may be sold everywhere, one with it is not shown to a shopper whose country is not known.
    ``age_attribute``: an attribute with the least age in years, or ``true`` for ``adult_age``; who does not say their
    age is not shown such products. ``once_categories``, ``once_attribute`` (``name:value``): goods that nobody buys
    twice, hidden from those who have bought them.
    """

    market_attribute: str | None = None
    age_attribute: str | None = None
    adult_age: int = Field(default=18, ge=1, le=120)
    once_categories: tuple[str, ...] = ()
    once_attribute: str | None = Field(default=None, pattern=r"^[^:]+:.+$")


class ShopperRules:
    """The rules of a config for one catalogue."""

    def __init__(self, shelf: Shelf, config: ShopperRulesConfig) -> None:
        n = len(shelf.category_codes)
        self._markets: dict[str, Mask] = {}
        self._restricted = np.zeros(n, bool)
        if config.market_attribute is not None:
            for country, rows in _values(shelf, config.market_attribute).items():
                self._markets.setdefault(country, np.zeros(n, bool))[rows] = True
                self._restricted[rows] = True
        self._least_age = np.zeros(n)
        if config.age_attribute is not None:
            for value, rows in _values(shelf, config.age_attribute).items():
                np.maximum.at(self._least_age, rows, _years(value, config.adult_age))
        self._once = np.isin(
            shelf.category_codes,
            [code for code, name in enumerate(shelf.category_names) if name in config.once_categories],
        )
        if config.once_attribute is not None:
            name, _, value = config.once_attribute.partition(":")
            rows = _values(shelf, name).get(value.strip().lower())
            if rows is not None:
                self._once[rows] = True

    def mask(self, *, country: str | None, age_years: float | None, bought: npt.NDArray[np.int32]) -> Mask:
        """(n_products,) bool: what this shopper may be shown."""
        allowed = ~self._restricted
        if country is not None and country.lower() in self._markets:
            allowed |= self._markets[country.lower()]
        allowed &= self._least_age <= (0.0 if age_years is None else age_years)
        mine = np.zeros(len(allowed), bool)
        mine[bought] = True
        found: Mask = allowed & ~(self._once & mine)
        return found


def _values(shelf: Shelf, name: str) -> dict[str, npt.NDArray[np.int32]]:
    """The products of each value of an attribute, in lower case."""
    return {
        value: rows for (key, value), rows in shelf.attribute_index.items() if key == name.strip().lower()
    }


def _years(value: str, adult_age: int) -> float:
    """
    >>> _years("true", 18), _years("16", 18), _years("no", 18), _years("16+", 18)
    (18.0, 16.0, 0.0, 16.0)
    """
    try:
        return max(float(value.rstrip("+ ")), 0.0)
    except ValueError:
        # What cannot be read counts as adult: a mistake must not show it to a child.
        return 0.0 if value in ("false", "no", "none", "") else float(adult_age)
