"""Request and answer models of the kiosk tier (docs/protocol.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.http.fields import Form, Pin
from gateway.http.models import Answer, Body, Rfc3339
from gateway.kiosk.enrolment_body import Client
from gateway.pin_login.models import EmployeeAnswer
from gateway.stamping.models import StatusAnswer

MAX_CLOCK_OFFSET_MS = 10 * 365 * 86_400_000
"""A terminal without a clock may be decades off; more is no offset."""


class NonceQuery(Body):
    """`HEAD /api/time/kiosk/nonce`."""

    keyid: Annotated[str, Form(r"[A-Za-z0-9_-]{43}", "must be a key thumbprint of 43 characters")]


class EnrolmentAnswer(Answer):
    """An enrolment that now waits for approval."""

    device_id: str
    enrolment_id: str
    state: str
    gateway_keyid: str


class CompanyAnswer(Answer):
    """Whose terminal this is."""

    name: str
    timezone: str
    locale: str


class DeviceAnswer(Answer):
    """The terminal as the gateway knows it."""

    device_id: str
    enrolment_id: str | None = Field(None, description="Only while the enrolment waits for approval.")
    gateway_keyid: str
    state: str
    label: str
    location: str
    company: CompanyAnswer
    key_expires_at: Rfc3339
    server_time: Rfc3339


class HeartbeatBody(Body):
    """A sign of life."""

    client: Client
    clock_offset_ms: Annotated[int, Field(ge=-MAX_CLOCK_OFFSET_MS, le=MAX_CLOCK_OFFSET_MS)]


class KioskSessionAnswer(Answer):
    """An employee's session at this terminal; times in seconds."""

    session_token: str
    expires_in: int
    idle_timeout: int
    employee: EmployeeAnswer
    failed_attempts: int = Field(description="Failed tries since the last sign-in, on either tier.")
    status: StatusAnswer


class PinChangeBody(Body):
    """`POST /api/time/kiosk/pin`."""

    current_pin: Pin
    new_pin: Pin
