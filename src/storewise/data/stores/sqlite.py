"""What is particular to SQLite: pragmas, locks and transactions. No other module speaks its dialect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

BUSY_TIMEOUT_MS = 30_000


def url(file: Path) -> str:
    """The URL of a database file.

    >>> url(Path("/tmp/shop.db"))
    'sqlite+pysqlite:////tmp/shop.db'
    """
    return f"sqlite+pysqlite:///{file.resolve()}"


def prepare(engine: sa.Engine) -> None:
    """Set every connection up: write-ahead log, an fsync for each commit, foreign keys, patience.

    The driver's own transaction handling is switched off because it would run DDL outside of the
    transaction. A connection with the execution option ``writes`` takes the write lock when it begins: a
    reader that turns writer later would fail at once instead of waiting.
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
