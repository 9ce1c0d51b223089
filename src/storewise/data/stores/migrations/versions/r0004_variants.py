"""Which variant of which experiment a decision was made under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("decisions", sa.Column("experiment", sa.Text()))
    op.add_column("decisions", sa.Column("variant", sa.Text()))
