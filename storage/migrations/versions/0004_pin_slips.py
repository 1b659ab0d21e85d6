"""PIN slips that wait to be fetched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.String(36)
INSTANT = sa.BigInteger


def upgrade() -> None:
    op.create_table(
        "pin_slip_jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("started_by", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("touched_at", INSTANT, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_pin_slip_jobs"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_pin_slip_jobs_company_id"),
        sa.ForeignKeyConstraint(["started_by"], ["users.id"], name="fk_pin_slip_jobs_started_by"),
        sa.UniqueConstraint("started_by", name="uq_pin_slip_jobs_started_by"),
    )
    op.create_index("ix_pin_slip_jobs_created_at", "pin_slip_jobs", ["created_at"])
    op.create_table(
        "pin_slips",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "position", name="pk_pin_slips"),
        sa.ForeignKeyConstraint(["job_id"], ["pin_slip_jobs.id"], name="fk_pin_slips_job_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("pin_slips")
    op.drop_table("pin_slip_jobs")
