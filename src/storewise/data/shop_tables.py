"""A whole shop from raw tables: each checked by itself and against the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from storewise.data.mapping import ShopMapping
from storewise.data.schema import EVENTS, PRODUCTS, REJECTS_SCHEMA, TABLES, Report, ShopTables
from storewise.data.validate import Checked, Rules, validate


def check_tables(
    raw: Mapping[str, pl.DataFrame],
    *,
    now: datetime,
    mapping: ShopMapping | None = None,
    known: pl.DataFrame | None = None,
    currency: str | None = None,
    where: Mapping[str, str] | None = None,
) -> ShopTables:
    """Validate raw tables by name; see :func:`storewise.data.validate.validate`.

    Events and stock must name products of the table ``products`` or of ``known``, what the shop has already;
    where neither has any, the products that events name become the catalogue. The shop's ``currency`` is
    the one given, else that of the known products, else the first table's most frequent. ``where``: each
    table's file, for messages.

    Raises:
        DataError: when one of the tables as a whole cannot be used.
    """
    mapping = mapping or ShopMapping()
    catalogue = PRODUCTS.empty() if known is None else known
    currency = currency or mapping.products.currency or _currency_of(catalogue)
    ids = catalogue["product_id"]
    checked: dict[str, Checked] = {}
    for name, table in TABLES.items():
        if name not in raw:
            continue
        place = (where or {}).get(name, f"table {name}")
        known_ids = ids if len(ids) or "products" in checked else None
        checked[name] = validate(raw[name], table, Rules(now, mapping.of(name), known_ids, currency, place))
        currency = currency or _currency_of(checked[name].frame)
        if name == "products":
            ids = pl.concat([ids, checked[name].frame["product_id"]]).unique()
    return _assemble(checked, has_catalogue=bool(len(ids)) or "products" in checked)


def _currency_of(frame: pl.DataFrame) -> str | None:
    """The first row's that has one; a checked table has but one."""
    found = frame["currency"].drop_nulls() if "currency" in frame.columns else pl.Series([], dtype=pl.String)
    return str(found[0]) if len(found) else None


def _assemble(checked: Mapping[str, Checked], *, has_catalogue: bool) -> ShopTables:
    report = Report()
    for part in checked.values():
        report.extend(part.report)
    frames = {name: part.frame for name, part in checked.items()}
    if not has_catalogue and "events" in frames:
        frames["products"] = _from_events(frames["events"], report)
    rejects = [part.rejects for part in checked.values()]
    return ShopTables(
        **{"products": PRODUCTS.empty(), "events": EVENTS.empty(), **frames},
        rejects=pl.concat([pl.DataFrame(schema=REJECTS_SCHEMA), *rejects]),
        report=report,
    )


def _from_events(events: pl.DataFrame, report: Report) -> pl.DataFrame:
    """A shop without a catalogue has the products its events name, with their ids as titles."""
    ids = events["product_id"].unique().sort()
    rule = "known from events alone: the id stands for the title"
    report.add("products", "repaired", rule, len(ids), example=str(ids[0]) if len(ids) else "")
    return PRODUCTS.conform(pl.DataFrame({"product_id": ids, "title": ids}))
