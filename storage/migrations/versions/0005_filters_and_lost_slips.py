"""The audit trail by day and by what it is about; whose PIN a waiting slip holds, so that it can be taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_events_company_id_at", "audit_events", ["company_id", "at"])
    op.create_index("ix_audit_events_company_id_subject_id", "audit_events", ["company_id", "subject", "id"])
    op.add_column("pin_slips", sa.Column("user_id", sa.String(36)))
    op.add_column("pin_slips", sa.Column("set_at", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("pin_slips", "set_at")
    op.drop_column("pin_slips", "user_id")
    op.drop_index("ix_audit_events_company_id_subject_id", "audit_events")
    op.drop_index("ix_audit_events_company_id_at", "audit_events")
