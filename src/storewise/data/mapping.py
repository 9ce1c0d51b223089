"""How a shop's own columns map to the contract's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator, model_validator

from storewise.core.config import Config, parse, read_toml
from storewise.core.errors import ConfigError, DataError
from storewise.core.money import exponent
from storewise.data.schema import KINDS, TABLES, Table

# Names that shops use for the contract's columns. Only hints are made of them: what a column means is said
# by the shop, never guessed.
_ALSO_CALLED = {
    "product_id": ("sku", "item", "itemid", "stockcode", "code", "asin", "article", "productcode", "id"),
    "customer_id": ("user", "userid", "client", "buyer", "shopper", "household", "member", "id"),
    "event_id": ("id", "lineid", "transactionid"),
    "session_id": ("session", "visit", "basket", "invoice", "order", "orderid", "visitid"),
    "at": ("time", "timestamp", "date", "datetime", "invoicedate", "createdat", "orderdate", "ts"),
    "kind": ("event", "type", "eventtype", "action", "behavior"),
    "title": ("name", "productname", "description", "label"),
    "quantity": ("qty", "count", "units", "amount"),
    "price": ("unitprice", "amount", "cost", "value"),
    "unit_price": ("price", "amount", "salesprice"),
    "on_hand": ("stock", "inventory", "available", "qty", "quantity"),
    "value": ("rating", "stars", "score"),
    "campaign_id": ("id", "campaign"),
}


class TableMapping(Config):
    """One section of a mapping file.

    ``columns``: contract column → the file's column. Money columns may be named with or without ``_minor``:
    ``price`` is in major units ("12.50"), ``price_minor`` in minor ones (1250). ``fixed``: a text for every
    row of a column the file does not have. ``kinds``: the file's word → a kind of event. ``timezone``: of
    times that do not say theirs. ``time_format``: strptime's, where the format is none of the known ones.
    ``decimal``: the decimal mark of prices. ``negative_quantity``: what a purchase of fewer than 0 means.
    ``query``: of a database, the table or the SELECT to read instead of the table of the contract's name.
    """

    columns: Mapping[str, str] = {}
    fixed: Mapping[str, str] = {}
    kinds: Mapping[str, str] = {}
    timezone: str = "UTC"
    time_format: str | None = None
    currency: str | None = None
    decimal: Literal[".", ","] = "."
    negative_quantity: Literal["reject", "return"] = "reject"
    query: str | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        from zoneinfo import available_timezones

        if value not in available_timezones():
            near = difflib.get_close_matches(value, available_timezones(), n=1)
            raise ValueError(f"no time zone of that name{f', did you mean {near[0]!r}' if near else ''}")
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError("not three capitals such as GBP")
        return value

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(value.values()) - set(KINDS))
        if unknown:
            raise ValueError(f"{unknown} are no kinds of events; known are {', '.join(KINDS)}")
        return {word.strip().lower(): kind for word, kind in value.items()}

    @model_validator(mode="after")
    def _once(self) -> TableMapping:
        both = sorted(set(self.columns) & set(self.fixed))
        if both:
            raise ValueError(f"{both} are both mapped and fixed")
        return self


class ShopMapping(Config):
    """A whole mapping file: one section for each table that needs one."""

    products: TableMapping = TableMapping()
    customers: TableMapping = TableMapping()
    events: TableMapping = TableMapping()
    stock: TableMapping = TableMapping()
    campaigns: TableMapping = TableMapping()

    def of(self, table: str) -> TableMapping:
        found: TableMapping = getattr(self, table)
        return found


def read_mapping(path: Path) -> ShopMapping:
    """Read a mapping file.

    Raises:
        ConfigError: for an unknown section, key or column, with the nearest known name.
    """
    mapping = parse(ShopMapping, read_toml(path), where=str(path))
    for table in TABLES.values():
        section, known = mapping.of(table.name), _targets(table)
        for name in (*section.columns, *section.fixed):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise ConfigError(
                    f"{path}: {name!r} is no column of {table.name}{hint}.",
                    next_step=f'Write contract column = "the file\'s column"; known: {", ".join(known)}.',
                )
    return mapping


@dataclass(frozen=True, slots=True)
class Source:
    """Where a contract column comes from: a column of the file (``name``) or one text for all rows."""

    name: str | None = None
    fixed: str | None = None
    major_units: bool = False


def find_columns(
    table: Table, found: Sequence[str], mapping: TableMapping, *, where: str
) -> dict[str, Source]:
    """Where each column of the contract comes from; optional ones that are nowhere are left out.

    A column that is not mapped is taken by its own name, whatever its case, spaces and underscores.

    Raises:
        DataError: naming the missing columns, what was found, what is near and how to map it.

    >>> from storewise.data.schema import STOCK
    >>> sources = find_columns(STOCK, ["Product ID", "at", "on_hand"], TableMapping(), where="stock.csv")
    >>> sources["product_id"].name
    'Product ID'
    """
    by_name = {_plain(name): name for name in reversed(found)}
    sources: dict[str, Source] = {}
    missing: list[str] = []
    for column in table.columns:
        source = _source_of(column.name, found, by_name, mapping, table=table, where=where)
        if source is not None:
            sources[column.name] = source
        elif column.required:
            missing.append(column.name)
    if missing:
        raise _missing(table, missing, found, where)
    return sources


def _source_of(
    name: str,
    found: Sequence[str],
    by_name: Mapping[str, str],
    mapping: TableMapping,
    *,
    table: Table,
    where: str,
) -> Source | None:
    for candidate in _names_of(name):
        major = candidate != name
        if candidate in mapping.columns:
            target = mapping.columns[candidate]
            if target not in found:
                near = difflib.get_close_matches(target, found, n=1, cutoff=0.5)
                raise DataError(
                    f"{where}: the mapping takes {candidate} from column {target!r}, which is not there.",
                    next_step=(f"Did you mean {near[0]!r}? " if near else "")
                    + f"Columns found: {_list(found)}.",
                )
            return Source(target, major_units=major)
        if candidate in mapping.fixed:
            return Source(fixed=mapping.fixed[candidate], major_units=major)
    for candidate in _names_of(name):
        if _plain(candidate) in by_name:
            return Source(by_name[_plain(candidate)], major_units=candidate != name)
    return None


def _names_of(column: str) -> tuple[str, ...]:
    """A money column has a second name: without ``_minor`` it is in major units."""
    return (column, column.removesuffix("_minor")) if column.endswith("_minor") else (column,)


def _targets(table: Table) -> list[str]:
    return [name for column in table.columns for name in _names_of(column.name)]


def _missing(table: Table, missing: Sequence[str], found: Sequence[str], where: str) -> DataError:
    near = {name: _nearest(name, found) for name in missing}
    hints = [f"{name} = {column!r}".replace("'", '"') for name, column in near.items() if column]
    lines = "; ".join(hints) or f'{missing[0]} = "YOUR COLUMN"'
    kind_hint = (
        ' or, when all rows are purchases, under [events.fixed]: kind = "purchase"'
        if "kind" in missing
        else ""
    )
    return DataError(
        f"{where}: {table.name} lack the column{'s' * (len(missing) > 1)} {', '.join(missing)}. "
        f"Columns found: {_list(found)}.",
        next_step=f"Map it in a TOML file given by --mapping, under [{table.name}.columns]: {lines}{kind_hint}.",
    )


def _nearest(name: str, found: Sequence[str]) -> str | None:
    also = {_plain(alias) for alias in _ALSO_CALLED.get(name, ())}
    for column in found:
        if _plain(column) in also:
            return column
    plain = {_plain(column): column for column in found}
    near = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"


def check_currency(code: str | None) -> str | None:
    """The code itself when it is of ISO 4217's form.

    Raises:
        InputError: otherwise.
    """
    if code is not None:
        exponent(code)
    return code


def section(values: Mapping[str, Any], *, table: str) -> TableMapping:
    """A section from plain values, for callers without a file."""
    return parse(TableMapping, values, where=f"mapping of {table}")
