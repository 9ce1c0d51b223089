"""Reading a shop's tables from a database, given by URL; nothing is written there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from storewise.core.errors import DataError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

_QUERY = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)
_OTHER_LINE = "line (of the table)"


def read_tables(
    url: str, names: Sequence[str], *, origins: Mapping[str, str] | None = None
) -> dict[str, pl.DataFrame]:
    """Those of the tables that the database has, each with a first column ``line`` (row number from 1).

    Args:
        url: SQLAlchemy's, such as ``sqlite:///shop.db`` or ``postgresql://user@host/shop``.
        names: tables wanted; ones that are not there (as tables or views) are left out.
        origins: name → where it comes from instead: ``[schema.]table`` or a SELECT; these must be there.

    Raises:
        DataError: an unusable URL, a missing driver, no connection, a failing query, none of the tables.
    """
    import sqlalchemy as sa

    engine = _engine(url)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            found = {}
            for name in names:
                statement = _statement(connection, name, (origins or {}).get(name), shown)
                if statement is not None:
                    found[name] = _read(connection, statement, f"{name} of {shown}")
            connection.rollback()
            there = sorted(sa.inspect(connection).get_table_names())
    except sa.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise DataError(
            f"{shown} cannot be read: {cause}.", next_step="Check the address, the rights and the query."
        ) from error
    finally:
        engine.dispose()
    if not found:
        raise DataError(
            f"{shown} has none of the tables {', '.join(names)}; it has {', '.join(there[:10]) or 'none'}.",
            next_step="Make views with the names of the contract, or name the tables or queries to take.",
        )
    return found


def _engine(text: str) -> Engine:
    import sqlalchemy as sa

    url = _url(text)
    try:
        return sa.create_engine(url)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise DataError(
            f"{url.render_as_string(hide_password=True)} cannot be opened: {error}.",
            next_step="Install SQLAlchemy's driver for that database, or check the URL's first word.",
        ) from error


def _url(text: str) -> URL:
    import sqlalchemy as sa

    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DataError(
            f"{text.split(':')[0]!r} does not begin a database URL.",
            next_step="Write sqlite:///file.db or postgresql://user@host/name.",
        ) from error
    # SQLite makes an empty file where none is; a reader must not.
    file = url.database if url.get_backend_name() == "sqlite" else None
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
        raise DataError(f"There is no database file {file}.", next_step="Check the path in the URL.")
    return url


def _statement(connection: Connection, name: str, origin: str | None, shown: str) -> Any:
    """The query of a table, None where the database does not have it and need not."""
    import sqlalchemy as sa

    if origin is not None and _QUERY.match(origin):
        return sa.text(origin)
    schema, _, table = (origin or name).rpartition(".")
    inspector = sa.inspect(connection)
    known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    if table in known:
        quote = connection.dialect.identifier_preparer.quote
        return sa.text(
            f"SELECT * FROM {quote(schema)}.{quote(table)}" if schema else f"SELECT * FROM {quote(table)}"
        )
    if origin is None:
        return None
    near = get_close_matches(table, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Tables there: {', '.join(sorted(known)) or 'none'}."
    raise DataError(f"{shown} has no table {origin!r}.", next_step=hint)


def _read(connection: Connection, statement: Any, where: str) -> pl.DataFrame:
    result = connection.execute(statement)
    names, rows = list(result.keys()), [tuple(row) for row in result]
    if len(set(names)) != len(names):
        raise DataError(f"{where} has a column name twice: {names}.", next_step="Name them apart with AS.")
    names = [_OTHER_LINE if name == "line" else name for name in names]
    try:
        frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError, OverflowError):
        # SQLite lets one column hold several types; as text nothing is lost.
        texts = [tuple(None if cell is None else str(cell) for cell in row) for row in rows]
        frame = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.with_row_index("line", offset=1).with_columns(pl.col("line").cast(pl.Int64))
