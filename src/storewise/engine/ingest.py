"""Take a shop's data in: read, check, hide who is who, store. All of it or nothing."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from storewise.core.clock import Clock, system_clock
from storewise.core.errors import ConfigError, DataError, UnknownName
from storewise.core.progress import Progress, Silent, step
from storewise.data.mapping import ShopMapping, check_currency
from storewise.data.privacy import KEY_BYTES, KEY_FILE, Holder, Pseudonyms, read_key
from storewise.data.schema import TABLES, Report, ShopTables
from storewise.data.shop_tables import check_tables
from storewise.data.sources.database import read_tables
from storewise.data.sources.raw import read_raw
from storewise.data.sources.registry import load_source
from storewise.data.stores import Store
from storewise.data.stores.store import DATABASE

KEY_FACT = "pseudonym key"
_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")


@dataclass(frozen=True)
class IngestRequest:
    """What to take in, and where to.

    Either a known ``source`` (with ``path`` to its data where it is not embedded), or ``files`` by table
    name, or the URL of a database in ``sql``. ``key_file``: of the pseudonyms, by default in the shop's
    folder. ``dry_run``: say what would happen and change nothing.
    """

    shop: Path
    source: str | None = None
    path: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    sql: str | None = None
    mapping: ShopMapping = field(default_factory=ShopMapping)
    currency: str | None = None
    key_file: Path | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class IngestResult:
    """What became of every row. ``ingest_id`` is None after a dry run. ``rows``: what was (or would be)
    stored, by table; ``rejects`` are pseudonymised; ``warnings`` are for the reader, one sentence each."""

    ingest_id: int | None
    report: Report
    rejects: pl.DataFrame
    rows: Mapping[str, int]
    seconds: float
    warnings: tuple[str, ...] = ()


def ingest(
    request: IngestRequest, *, clock: Clock = system_clock, progress: Progress | None = None
) -> IngestResult:
    """Do it.

    Raises:
        ConfigError: when the request names no source or several.
        DataError: when a file as a whole cannot be used; nothing has been stored then.
        AccessDenied: when others may read the key.
    """
    started = time.perf_counter()
    progress = progress or Silent()
    name = _source_name(request)
    check_currency(request.currency)
    store = _existing(request, clock)
    try:
        tables = _read(request, store, clock, progress)
        warnings = _warnings(tables)
        with step(progress, "hiding who is who"):
            pseudonyms = _pseudonyms(request, store)
            hidden = pseudonyms.tables(tables, named=_named(request.mapping))
        if request.dry_run:
            return _preview(hidden, store, time.perf_counter() - started, warnings)
        store = store or Store.open(request.shop, clock=clock)
        with step(progress, "storing"):
            spent_s = time.perf_counter() - started
            facts = {KEY_FACT: pseudonyms.key_check}
            receipt = store.ingest(hidden, name, spent_s=spent_s, facts=facts)
    finally:
        if store is not None:
            store.close()
    rows = _rows(hidden) | {"events": receipt.new_events}
    seconds = time.perf_counter() - started
    return IngestResult(receipt.ingest_id, receipt.report, hidden.rejects, rows, seconds, warnings)


def _source_name(request: IngestRequest) -> str:
    """What the report calls the source; refuses none and several."""
    given = [request.source is not None, bool(request.files), request.sql is not None]
    if sum(given) != 1:
        raise ConfigError(
            "Nothing was named to ingest." if not any(given) else "More than one kind of source was named.",
            next_step="Name one: --source online-retail, or files such as --products p.csv --events e.parquet, "
            "or --sql URL.",
        )
    if request.source is not None:
        return request.source
    places: list[object] = list(request.files.values()) if request.sql is None else [request.sql]
    return ", ".join(_PASSWORD.sub(r"\1:***@", str(place)) for place in places)


def _existing(request: IngestRequest, clock: Clock) -> Store | None:
    """The shop if there is one; its folder is made only once the data have been read."""
    if not (request.shop / DATABASE).is_file():
        return None
    return Store.open(request.shop, create=False, clock=clock)


def _pseudonyms(request: IngestRequest, store: Store | None) -> Pseudonyms:
    """Those of the shop; a dry run that finds no key makes one up and forgets it.

    Raises:
        DataError: when the shop has pseudonyms already but their key is gone or is another.
    """
    file = request.key_file or request.shop / KEY_FILE
    said = store.fact(KEY_FACT) if store is not None else None
    if request.dry_run and said is None and not file.exists():
        return Pseudonyms(secrets.token_bytes(KEY_BYTES))
    found = Pseudonyms(read_key(file, create=said is None))
    if said is not None and said != found.key_check:
        raise DataError(
            f"{file} is not the key that the pseudonyms in {request.shop} were made with.",
            next_step="Name the right one with --key-file; with another key every customer counts as new.",
        )
    return found


def _named(mapping: ShopMapping) -> dict[str, Holder]:
    """The source's columns that a mapping says hold customers' or sessions' ids."""
    found: dict[str, Holder] = {}
    for table in TABLES:
        columns = mapping.of(table).columns
        if "customer_id" in columns:
            found[columns["customer_id"]] = "customer"
        if "session_id" in columns:
            found[columns["session_id"]] = "session"
    return found


def _read(request: IngestRequest, store: Store | None, clock: Clock, progress: Progress) -> ShopTables:
    if request.source is not None:
        return load_source(request.source, request.path, progress)
    if request.sql is not None:
        with step(progress, "reading the database"):
            raw = read_tables(request.sql, list(TABLES), origins=_origins(request.mapping))
    else:
        _check_names(request.files)
        files = progress.track(request.files.items(), label="reading files")
        raw = {table: read_raw(file) for table, file in files}
    with step(progress, "checking rows"):
        return check_tables(
            raw,
            now=clock(),
            mapping=request.mapping,
            known=store.products() if store is not None else None,
            currency=request.currency,
            where={table: str(file) for table, file in request.files.items()},
        )


def _check_names(tables: Iterable[str]) -> None:
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise ConfigError(f"There is no table {unknown[0]!r}.", next_step=f"Known: {', '.join(TABLES)}.")


def _origins(mapping: ShopMapping) -> dict[str, str]:
    found = {name: mapping.of(name).query for name in TABLES}
    return {name: query for name, query in found.items() if query is not None}


def _warnings(tables: ShopTables) -> tuple[str, ...]:
    """Tables of which nothing could be used: mostly a mapping that is missing or wrong."""
    totals = {name: tables.report.total(name) for name in TABLES}
    return tuple(
        f"None of the {rows:,} rows of {name} can be used; the report says why."
        for name, rows in totals.items()
        if rows and not tables.report.total(name, "kept", "repaired")
    )


def _rows(tables: ShopTables) -> dict[str, int]:
    return {name: getattr(tables, name).height for name in TABLES}


def _preview(
    tables: ShopTables, store: Store | None, seconds: float, warnings: tuple[str, ...]
) -> IngestResult:
    duplicates = store.known_events(tables.events) if store is not None else 0
    report = tables.report.copy()
    report.set_aside("events", "event_id is known already", duplicates)
    rows = _rows(tables)
    rows["events"] -= duplicates
    return IngestResult(None, report, tables.rejects, rows, seconds, warnings)


def rejects_of(shop: Path, ingest_id: int | None = None) -> tuple[int, pl.DataFrame]:
    """The number of an ingest (the latest by default) and its rejects: table, line, reason, row.

    Raises:
        StoreError: when there is no shop.
        UnknownName: when it has no such ingest.
    """
    with Store.open(shop, create=False) as store:
        known = store.ingests()["ingest_id"].to_list()
        if not known or (ingest_id is not None and ingest_id not in known):
            raise UnknownName(
                f"The shop in {shop} has no ingest {ingest_id}."
                if known
                else f"Nothing was ingested into {shop}.",
                next_step=f"Known: {', '.join(map(str, known))}." if known else "Run: storewise ingest",
            )
        chosen = ingest_id if ingest_id is not None else known[-1]
        return chosen, store.rejects(chosen).drop("ingest_id")
