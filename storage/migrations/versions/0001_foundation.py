"""The foundation: companies, people, terminals, stamps, locks, audit events and the trust feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36)
INSTANT = sa.BigInteger
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "secrets_binding",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("check_value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_secrets_binding"),
    )
    op.create_table(
        "companies",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("public_stamp_enabled", sa.Boolean, nullable=False),
        sa.Column("kiosk_networks", JSON, nullable=False),
        sa.Column("link_hash", sa.LargeBinary(32)),
        sa.Column("link_version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("link_created_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_companies"),
        sa.UniqueConstraint("link_hash", name="uq_companies_link_hash"),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("full_name", sa.String(200), nullable=False),
        sa.Column("personnel_number", sa.String(12)),
        sa.Column("email", sa.String(254)),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("pin_record", sa.LargeBinary),
        sa.Column("pin_set_at", INSTANT),
        sa.Column("last_sign_in_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_users_company_id"),
        sa.UniqueConstraint("company_id", "personnel_number", name="uq_users_company_id_personnel_number"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "accounts",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_accounts"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_accounts_user_id"),
    )
    op.create_table(
        "devices",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("location", sa.String(200), nullable=False),
        sa.Column("allowed_networks", JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("approved_at", INSTANT),
        sa.Column("last_seen_at", INSTANT),
        sa.Column("client_name", sa.String(100)),
        sa.Column("client_version", sa.String(100)),
        sa.Column("client_platform", sa.String(200)),
        sa.Column("clock_offset_ms", sa.BigInteger),
        sa.Column("code_hash", sa.LargeBinary(32)),
        sa.Column("code_expires_at", INSTANT),
        sa.Column("enrolment_id", ID),
        sa.Column("enrolment_started_at", INSTANT),
        sa.Column("words_asked", JSON),
        sa.Column("wrong_tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.String(200)),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_devices_company_id"),
        sa.UniqueConstraint("code_hash", name="uq_devices_code_hash"),
    )
    op.create_index("ix_devices_company_id", "devices", ["company_id"])
    op.create_table(
        "device_keys",
        sa.Column("keyid", sa.String(43), nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("first_used_at", INSTANT),
        sa.PrimaryKeyConstraint("keyid", name="pk_device_keys"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_device_keys_device_id"),
    )
    op.create_index("ix_device_keys_device_id", "device_keys", ["device_id"])
    op.create_table(
        "stamps",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("stamp_id", ID, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("device_id", ID),
        sa.Column("link_version", sa.Integer),
        sa.Column("request_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stamps"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_stamps_user_id", deferrable=True, initially="DEFERRED"
        ),
        sa.UniqueConstraint("user_id", "sequence", name="uq_stamps_user_id_sequence"),
        sa.UniqueConstraint("user_id", "stamp_id", name="uq_stamps_user_id_stamp_id"),
    )
    op.create_index("ix_stamps_company_id_at", "stamps", ["company_id", "at"])
    op.create_table(
        "presence",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("worked_day", sa.String(10), nullable=False),
        sa.Column("worked_seconds", sa.BigInteger, nullable=False),
        sa.Column("open_since", INSTANT),
        sa.Column("clock_out_missing", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_presence"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_presence_user_id"),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64)),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("request_id", ID),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_company_id_id", "audit_events", ["company_id", "id"])
    op.create_table(
        "pin_failures",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("subject", sa.LargeBinary(32), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pin_failures"),
    )
    op.create_index("ix_pin_failures_subject_at", "pin_failures", ["subject", "at"])
    op.create_index("ix_pin_failures_at", "pin_failures", ["at"])
    op.create_table(
        "lockouts",
        sa.Column("id", ID, nullable=False),
        sa.Column("company_id", ID, nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("user_id", ID),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT),
        sa.Column("cleared_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_lockouts"),
    )
    op.create_index("ix_lockouts_company_id_since", "lockouts", ["company_id", "since"])
    op.create_index("ix_lockouts_subject", "lockouts", ["subject"])
    counter = op.create_table(
        "trust_counter",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trust_counter"),
    )
    op.bulk_insert(counter, [{"id": 1, "value": 0}])
    op.create_table(
        "trust_changes",
        sa.Column("seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_trust_changes"),
    )
    op.create_index("ix_trust_changes_at", "trust_changes", ["at"])


def downgrade() -> None:
    for table in (
        "trust_changes",
        "trust_counter",
        "lockouts",
        "pin_failures",
        "audit_events",
        "presence",
        "stamps",
        "device_keys",
        "devices",
        "accounts",
        "users",
        "companies",
        "secrets_binding",
    ):
        op.drop_table(table)
