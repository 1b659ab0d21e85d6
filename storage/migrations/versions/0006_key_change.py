"""Key changes: when a key was superseded, and that a terminal has one current key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger
CURRENT = sa.text("state = 'current'")


def upgrade() -> None:
    op.add_column("device_keys", sa.Column("superseded_at", INSTANT))
    op.create_index(
        "uq_device_keys_current",
        "device_keys",
        ["device_id"],
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    )


def downgrade() -> None:
    # An older version knows current and blocked keys only, and would take every other one for good.
    op.execute("UPDATE device_keys SET state = 'blocked' WHERE state IN ('offered', 'superseded')")
    op.drop_index("uq_device_keys_current", "device_keys")
    op.drop_column("device_keys", "superseded_at")
