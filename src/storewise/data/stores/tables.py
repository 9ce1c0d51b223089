"""The SQL tables of a store, built from the data contract.

Times are integer microseconds since 1970-01-01 UTC, so that every database keeps and compares them alike.
The migrations say the same in steps; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import sqlalchemy as sa

from storewise.data import schema

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _sql_type(dtype: Any) -> sa.types.TypeEngine[Any]:
    if dtype in (pl.Int32, pl.Int64) or dtype == schema.UTC_TIME:
        return sa.BigInteger()
    if dtype in (pl.Float32, pl.Float64):
        return sa.Float(53)
    return sa.Boolean() if dtype == pl.Boolean else sa.Text()


def _columns(table: schema.Table, *, key: bool) -> list[sa.Column[Any]]:
    """One SQL column for each of the contract's; ``key``: the row's key is the primary key."""
    return [
        sa.Column(
            column.name,
            _sql_type(column.dtype),
            primary_key=key and column.name in table.key,
            nullable=not (column.required or column.name in table.key),
        )
        for column in table.columns
    ]


PRODUCTS = sa.Table("products", METADATA, *_columns(schema.PRODUCTS, key=True))
# Rows that an ingest replaced, as they stood until then.
PAST_PRODUCTS = sa.Table(
    "past_products",
    METADATA,
    *_columns(schema.PRODUCTS, key=True),
    sa.Column("until", sa.BigInteger(), primary_key=True),
)
CUSTOMERS = sa.Table("customers", METADATA, *_columns(schema.CUSTOMERS, key=True))
STOCK = sa.Table("stock", METADATA, *_columns(schema.STOCK, key=True))
CAMPAIGNS = sa.Table("campaigns", METADATA, *_columns(schema.CAMPAIGNS, key=True))
CATALOGUE = {"products": PRODUCTS, "customers": CUSTOMERS, "stock": STOCK, "campaigns": CAMPAIGNS}

# SQLite counts up only a column declared INTEGER, other databases want eight bytes.
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

LIVE_EVENTS = sa.Table(
    "live_events",
    METADATA,
    sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    *_columns(schema.EVENTS, key=False),
    sa.UniqueConstraint("event_id"),
    sa.Index(None, "customer_id"),
    sa.Index(None, "session_id"),
    sa.Index(None, "at"),
)
INGESTS = sa.Table(
    "ingests",
    METADATA,
    sa.Column("ingest_id", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Column("rows", sa.BigInteger(), nullable=False),
)


def _ingest_id() -> sa.Column[int]:
    return sa.Column("ingest_id", _SERIAL, sa.ForeignKey("ingests.ingest_id"), nullable=False, index=True)


SEGMENTS = sa.Table(
    "segments",
    METADATA,
    sa.Column("file", sa.Text(), primary_key=True),
    _ingest_id(),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("first_at", sa.BigInteger(), nullable=False),
    sa.Column("last_at", sa.BigInteger(), nullable=False),
    sa.Column("sha256", sa.Text(), nullable=False),
)
REPORT = sa.Table(
    "report",
    METADATA,
    sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    _ingest_id(),
    sa.Column("table", sa.Text(), nullable=False),
    sa.Column("outcome", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("example", sa.Text(), nullable=False),
)
REJECTS = sa.Table(
    "rejects",
    METADATA,
    sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    _ingest_id(),
    sa.Column("table", sa.Text(), nullable=False),
    sa.Column("line", sa.BigInteger()),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("row", sa.Text()),
)
DECISIONS = sa.Table(
    "decisions",
    METADATA,
    sa.Column("decision_id", sa.Text(), primary_key=True),
    sa.Column("at", sa.BigInteger(), nullable=False, index=True),
    sa.Column("customer_id", sa.Text()),
    sa.Column("session_id", sa.Text()),
    sa.Column("slot", sa.Text(), nullable=False),
    sa.Column("snapshot", sa.Text()),
    sa.Column("step", sa.Text(), nullable=False),  # of the fallback ladder
    sa.Column("guard_rail", sa.Text()),  # the one that bound the decision, if any
    sa.Column("items", sa.JSON(), nullable=False),  # product_id, position, score, propensity, reason
    sa.Column("experiment", sa.Text()),
    sa.Column("variant", sa.Text()),
)
# One row a kind of content. Every writer of events bumps its number first: the row lock puts writers in
# line on databases that have no lock of their own, and readers see by the number that something changed.
REVISIONS = sa.Table(
    "revisions",
    METADATA,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("number", sa.BigInteger(), nullable=False),
)
# What is true of the whole store, such as which key its pseudonyms were made with.
FACTS = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)
# What encoders made of products' texts and photos, see ``vectors.py``.
VECTORS = sa.Table(
    "vectors",
    METADATA,
    sa.Column("model", sa.Text(), primary_key=True),
    sa.Column("content", sa.Text(), primary_key=True),
    sa.Column("vector", sa.LargeBinary(), nullable=False),
)
