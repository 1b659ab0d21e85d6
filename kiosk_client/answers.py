"""What the gateway answers, as frozen values.

Members this client does not know are ignored, so that a newer gateway does not stop an older terminal; members it needs
and does not find are an ``UnexpectedAnswer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - pydantic reads the annotations while running
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from kiosk_client.errors import UnexpectedAnswer

Answer = TypeVar("Answer")

ACTIONS = ("clock_in", "clock_out", "break_start", "break_end")


@dataclass(frozen=True, slots=True)
class Company:
    """Whose terminal this is: its name, IANA time zone and locale (``de``, ``en``, ``de-AT`` …)."""

    name: str
    timezone: str
    locale: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The answer to an enrolment: pending until IT approves it."""

    device_id: str
    enrolment_id: str
    state: str
    gateway_keyid: str


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What the gateway says about this terminal."""

    device_id: str
    gateway_keyid: str
    state: str
    server_time: datetime
    enrolment_id: str | None = None
    label: str | None = None
    location: str | None = None
    company: Company | None = None
    key_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyOffered:
    """The key that is in force from its first use on."""

    keyid: str
    key_expires_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """What is true of a person now, and which actions are valid next.

    ``state`` is ``out``, ``in`` or ``break``; ``since`` is absent for someone who never stamped.
    """

    state: str
    since: datetime | None = None
    worked_today_seconds: float = 0.0
    actions: tuple[str, ...] = ()
    clock_out_missing: bool = False


@dataclass(frozen=True, slots=True)
class Employee:
    """The person who signed in."""

    display_name: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """An open session. The token is a secret: it is left out of ``repr``."""

    session_token: str = field(repr=False)
    expires_in: float
    employee: Employee
    status: Status
    idle_timeout: float = 20.0
    failed_attempts: int = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """One committed stamp."""

    id: str
    stamp_id: str
    action: str
    at: datetime
    tier: str
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class StampAnswer:
    """The body of an accepted ``action``."""

    stamp: Stamp
    status: Status


@dataclass(frozen=True, slots=True)
class Stamped:
    """An accepted stamp; ``repeated`` when the gateway had it already (the first answer was lost)."""

    stamp: Stamp
    status: Status
    repeated: bool


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """``GET status`` when the gateway wraps it."""

    status: Status


_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (DeviceAnswer, Enrolled, KeyOffered, SignIn, StampAnswer, Status, StatusAnswer)
}


def read_answer(kind: type[Answer], body: bytes) -> Answer:
    """The JSON ``body`` as ``kind``; raises ``UnexpectedAnswer`` when it is not one."""
    try:
        answer = _ADAPTERS[kind].validate_json(body)
    except ValidationError as fault:
        raise UnexpectedAnswer(f"not a {kind.__name__}: {fault.error_count()} faults") from None
    return cast("Answer", answer)


def read_status(body: bytes) -> Status:
    """``GET status`` answers the status itself, or wrapped as ``{"status": …}`` like the other answers."""
    try:
        return read_answer(StatusAnswer, body).status
    except UnexpectedAnswer:
        return read_answer(Status, body)


def status_in(members: Mapping[str, object]) -> Status | None:
    """The person's status inside a problem document, if it carries one.

    ``status`` is also the HTTP status of RFC 9457; only an object under that or a neighbouring name is ours.
    """
    for member in members.values():
        if isinstance(member, Mapping) and "actions" in member and "state" in member:
            try:
                return cast("Status", _ADAPTERS[Status].validate_python(dict(member)))
            except ValidationError:
                return None
    return None
