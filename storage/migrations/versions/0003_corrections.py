"""Corrections of stamps: rows beside them, so that what was stamped stays as it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(36)
INSTANT = sa.BigInteger


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("replaces", ID),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("made_by", ID, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("request_id", ID),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_corrections_user_id"),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name="fk_corrections_made_by"),
        sa.UniqueConstraint("replaces", name="uq_corrections_replaces"),
    )
    op.create_index("ix_corrections_company_id_at", "corrections", ["company_id", "at"])
    op.create_index("ix_corrections_user_id_at", "corrections", ["user_id", "at"])


def downgrade() -> None:
    op.drop_table("corrections")
