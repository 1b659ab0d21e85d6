"""The audit trail by day and by what it is about."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_events_company_id_at", "audit_events", ["company_id", "at"])
    op.create_index("ix_audit_events_company_id_subject_id", "audit_events", ["company_id", "subject", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_events_company_id_subject_id", "audit_events")
    op.drop_index("ix_audit_events_company_id_at", "audit_events")
