"""Phone links of all times, so that an old poster is known again; up to when wrong tries were told to a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "phone_links",
        sa.Column("company_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("link_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("reported_at", sa.BigInteger),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_phone_links_company_id"),
        sa.PrimaryKeyConstraint("company_id", "version", name="pk_phone_links"),
    )
    # Links that were replaced before this are forgotten: only the present ones are still there.
    op.execute(
        "INSERT INTO phone_links (company_id, version, link_hash)"
        " SELECT id, link_version, link_hash FROM companies WHERE link_hash IS NOT NULL"
    )
    op.add_column("users", sa.Column("failures_told_at", sa.BigInteger))
    op.execute("UPDATE users SET failures_told_at = last_sign_in_at")


def downgrade() -> None:
    op.drop_column("users", "failures_told_at")
    op.drop_table("phone_links")
