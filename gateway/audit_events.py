"""The audit vocabulary: every event's name, and the one way to make an event.

An event is written in the same transaction as what it reports (``storage.audit.append``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from storage.audit import AuditEvent

if TYPE_CHECKING:
    from collections.abc import Mapping


class AuditName(StrEnum):
    """What happened, as ``subject.verb``."""

    DEVICE_REGISTERED = "device.registered"
    DEVICE_ENROLMENT_STARTED = "device.enrolment_started"
    DEVICE_APPROVED = "device.approved"
    DEVICE_DENIED = "device.denied"
    DEVICE_SUSPENDED = "device.suspended"
    DEVICE_RESUMED = "device.resumed"
    DEVICE_REVOKED = "device.revoked"
    DEVICE_KEY_CHANGED = "device.key_changed"
    DEVICE_KEY_REUSED = "device.key_reused"
    NONCE_REPLAYED = "nonce.replayed"
    PIN_SET = "pin.set"
    PIN_LOCKED = "pin.locked"
    PIN_UNLOCKED = "pin.unlocked"
    PIN_DISABLED = "pin.disabled"
    PIN_WITHDRAWN = "pin.withdrawn"
    PIN_SLIPS_FETCHED = "pin_slips.fetched"
    KIOSK_LOGIN = "kiosk.login"
    PHONE_LOGIN = "phone.login"
    LOGIN_FAILED = "login.failed"
    PUBLIC_LINK_ROTATED = "public_link.rotated"
    PUBLIC_LINK_DISABLED = "public_link.disabled"
    PUBLIC_LINK_REFUSED = "public_link.refused"
    ACCOUNT_INVITED = "account.invited"
    ACCOUNT_INVITATION_WITHDRAWN = "account.invitation_withdrawn"
    ACCOUNT_REGISTERED = "account.registered"
    ACCOUNT_LOGIN = "account.login"
    ACCOUNT_LOCKED = "account.locked"
    ACCOUNT_UNLOCKED = "account.unlocked"
    ACCOUNT_PASSWORD_CHANGED = "account.password_changed"  # noqa: S105 the name of an event
    ACCOUNT_PASSWORD_RESET = "account.password_reset"  # noqa: S105 the name of an event
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    STAMP_CORRECTED = "stamp.corrected"
    STAMPS_EXPORTED = "stamps.exported"
    SETTINGS_CHANGED = "settings.changed"


def event(
    name: AuditName,
    *,
    id: str,  # noqa: A002 the field's name
    at: float,
    actor: str,
    company_id: str | None = None,
    subject: str | None = None,
    detail: Mapping[str, object] | None = None,
    request_id: str | None = None,
) -> AuditEvent:
    """Return an event to be appended in the transaction of what it reports.

    ``id`` is a fresh UUIDv7 and ``at`` Unix seconds; ``actor`` and ``subject`` read ``user:<id>``, ``device:<id>``,
    ``cli`` or ``gateway``. ``detail`` never holds a PIN, token or personnel number.
    """
    return AuditEvent(
        id=id,
        at=at,
        name=name.value,
        actor=actor,
        company_id=company_id,
        subject=subject,
        detail=dict(detail or {}),
        request_id=request_id,
    )
