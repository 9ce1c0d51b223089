"""Pseudonyms: what a shop calls its customers and sessions never gets past the border.

A pseudonym is HMAC-SHA256 (RFC 2104) of the id under the shop's key, cut to 128 bits and written as 32 hex
digits: the same id always gives the same pseudonym, without the key nobody can compute or check one, and two
of a billion customers share one with a probability below 2e-21. Session ids are hidden as well: they are
cookie values and order numbers, which lead to a person in the shop's other systems. Customers and sessions
are hashed apart, so that equal ids of both kinds have different pseudonyms.

Whoever deletes the key file makes all pseudonyms anonymous for good.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import orjson
import polars as pl

from storewise.core.errors import AccessDenied, DataError
from storewise.data.schema import REPORT_SCHEMA, Report, ShopTables

KEY_FILE = "pseudonym.key"
KEY_BYTES = 32
_DIGITS = 32
Holder = Literal["customer", "session"]
"""Whose ids a column holds."""
_CUSTOMER_KEYS = re.compile(
    r"^(customer|user|client|buyer|shopper|member|household|visitor|reviewer)s?(id|key|no|nr|number|code)?$"
)
_SESSION_KEYS = re.compile(r"^(session|visit|basket|invoice|order|cookie)s?(id|key|no|nr|number)?$")


def read_key(file: Path, *, create: bool = False) -> bytes:
    """The key of a shop; ``create`` makes a random one (mode 0600) where there is none.

    Raises:
        DataError: when the file is missing, is no regular file or does not hold 64 hex digits.
        AccessDenied: when others than its owner may read or write it.
    """
    if create and not file.exists():
        _create(file)
    try:
        status = file.stat()
    except OSError as error:
        raise DataError(
            f"The key file {file} cannot be read: {error.strerror}.",
            next_step="Restore it from your backup; with a new key all customers count as new.",
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"The key file {file} is no regular file.", next_step="Name a file with 64 hex digits."
        )
    if status.st_mode & 0o077:
        raise AccessDenied(
            f"The key file {file} has mode {stat.S_IMODE(status.st_mode):04o}: others may use it.",
            next_step=f"Run: chmod 600 {file}",
        )
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise DataError(
            f"The key file {file} does not hold {2 * KEY_BYTES} hex digits.",
            next_step="Restore it from your backup; with a new key all customers count as new.",
        )
    return bytes.fromhex(text)


def _create(file: Path) -> None:
    """Write a new key under a name of its own first: a crash must not leave half a key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(secrets.token_hex(KEY_BYTES) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(scratch, file)  # fails when another process was faster, whose key then counts
        except FileExistsError:
            return
    finally:
        scratch.unlink()


@cache
def _holder(column: str) -> Holder | None:
    """Whether a file's column of this name holds ids of customers or of sessions."""
    plain = re.sub(r"[\W_]+", "", column).lower()
    if _CUSTOMER_KEYS.match(plain):
        return "customer"
    return "session" if _SESSION_KEYS.match(plain) else None


def _each_once(ids: pl.Series, pseudonym: Callable[[str], str]) -> pl.Series:
    distinct = ids.drop_nulls().unique()
    if not len(distinct):
        return ids.cast(pl.String)
    table = pl.DataFrame({"id": distinct, "made": [pseudonym(value) for value in distinct.to_list()]})
    return ids.to_frame("id").join(table, on="id", how="left", maintain_order="left")["made"].alias(ids.name)


class Pseudonyms:
    """Turns ids into pseudonyms under one key.

    >>> hidden = Pseudonyms(bytes(32))
    >>> hidden.customer("12345")
    'cf6aa6efbf52816e791ff637c081c6ff'
    >>> hidden.customer("12345") == hidden.session("12345")
    False
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        # A server asks for the same few shoppers again and again.
        self.customer = lru_cache(maxsize=65_536)(self._customer)
        self.session = lru_cache(maxsize=65_536)(self._session)

    @classmethod
    def of(cls, folder: Path, *, key_file: Path | None = None, create: bool = False) -> Pseudonyms:
        """Those of the shop in ``folder``, under its key file unless another is named; see :func:`read_key`."""
        return cls(read_key(key_file or folder / KEY_FILE, create=create))

    @property
    def key_check(self) -> str:
        """Tells keys apart without telling the key."""
        return self._hash("check")

    def _customer(self, customer_id: str) -> str:
        return self._hash(f"customer\x1f{customer_id}")

    def _session(self, session_id: str) -> str:
        return self._hash(f"session\x1f{session_id}")

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(), "sha256").hex()[:_DIGITS]

    def customers(self, ids: pl.Series) -> pl.Series:
        """A column of customer ids; each distinct id is hashed once."""
        return _each_once(ids, self._customer)

    def sessions(self, ids: pl.Series) -> pl.Series:
        """A column of session ids."""
        return _each_once(ids, self._session)

    def tables(self, tables: ShopTables, *, named: Mapping[str, Holder] | None = None) -> ShopTables:
        """A shop's tables with pseudonyms in place of ids, also in rejects and in the report's examples.

        ``named``: columns of the source that hold ids under a name that does not say so.
        """
        events = tables.events.with_columns(
            self.customers(tables.events["customer_id"]), self.sessions(tables.events["session_id"])
        )
        customers = tables.customers.with_columns(self.customers(tables.customers["customer_id"]))
        return replace(
            tables,
            events=events,
            customers=customers,
            rejects=self.rejects(tables.rejects, named=named),
            report=self._report(tables.report),
        )

    def rejects(self, rejects: pl.DataFrame, *, named: Mapping[str, Holder] | None = None) -> pl.DataFrame:
        """Rejects whose source rows no longer hold the ids of customers and sessions.

        Which cells those are is told by ``named`` and by names such as "Customer ID", "user" or "Invoice".
        """
        rows = rejects["row"].fill_null("{}").to_list()
        hidden = [self._row(row, named or {}) for row in rows]
        return rejects.with_columns(pl.Series("row", hidden, dtype=pl.String))

    def _row(self, text: str, named: Mapping[str, Holder]) -> str:
        try:
            row = orjson.loads(text)
        except orjson.JSONDecodeError:
            return "{}"
        if not isinstance(row, dict):
            return "{}"
        for name, value in row.items():
            holder = named.get(name) or _holder(name)
            if value is not None and holder is not None:
                row[name] = self.customer(str(value)) if holder == "customer" else self.session(str(value))
        return orjson.dumps(row).decode()

    def _report(self, report: Report) -> Report:
        """Examples of the table of customers are customer ids."""
        hidden = Report()
        for table, outcome, reason, rows, example in report.frame().select(list(REPORT_SCHEMA)).iter_rows():
            shown = "" if table == "customers" else example
            hidden.add(table, outcome, reason, rows, example=shown)
        return hidden
