"""The first shape: catalogue, segments, live events, ingest reports, decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _catalogue()
    _ingests()
    _live()


def _catalogue() -> None:
    op.create_table(
        "products",
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("product_id", name="pk_products"),
    )
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customers"),
    )
    op.create_table(
        "stock",
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("on_order", sa.BigInteger(), nullable=True),
        sa.Column("unit_cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("lead_time_days", sa.Float(precision=53), nullable=True),
        sa.Column("pack_size", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("product_id", "at", name="pk_stock"),
    )
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_campaigns"),
    )


def _ingests() -> None:
    op.create_table(
        "ingests",
        sa.Column("ingest_id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(precision=53), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ingest_id", name="pk_ingests"),
    )
    op.create_table(
        "segments",
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("ingest_id", _SERIAL, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ingest_id"], ["ingests.ingest_id"], name="fk_segments_ingest_id"),
        sa.PrimaryKeyConstraint("file", name="pk_segments"),
    )
    op.create_index("ix_segments_ingest_id", "segments", ["ingest_id"])
    op.create_table(
        "report",
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("ingest_id", _SERIAL, nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ingest_id"], ["ingests.ingest_id"], name="fk_report_ingest_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_report"),
    )
    op.create_index("ix_report_ingest_id", "report", ["ingest_id"])
    op.create_table(
        "rejects",
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("ingest_id", _SERIAL, nullable=False),
        sa.Column("table", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["ingest_id"], ["ingests.ingest_id"], name="fk_rejects_ingest_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_rejects"),
    )
    op.create_index("ix_rejects_ingest_id", "rejects", ["ingest_id"])


def _live() -> None:
    op.create_table(
        "live_events",
        sa.Column("seq", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("slot", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("propensity", sa.Float(precision=53), nullable=True),
        sa.Column("query", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_live_events"),
        sa.UniqueConstraint("event_id", name="uq_live_events_event_id"),
    )
    op.create_index("ix_live_events_at", "live_events", ["at"])
    op.create_index("ix_live_events_customer_id", "live_events", ["customer_id"])
    op.create_index("ix_live_events_session_id", "live_events", ["session_id"])
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("guard_rail", sa.Text(), nullable=True),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_at", "decisions", ["at"])
    op.create_table(
        "revisions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revisions"),
    )
