"""How locks look on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from gateway.http.models import Answer, Rfc3339

if TYPE_CHECKING:
    from gateway.lockouts.service import Locked


class LockedPerson(Answer):
    """Who is locked out."""

    id: str
    full_name: str
    personnel_number: str | None = None


class LockoutAnswer(Answer):
    """A lock in force: on a person, a terminal, the company's phones, or a number that nobody has."""

    id: str
    tier: str
    scope: str
    reason: str
    since: Rfc3339
    until: Rfc3339 | None = Field(None, description="Left out when only a new PIN ends it.")
    user: LockedPerson | None = None
    device_id: str | None = None


class LockoutsAnswer(Answer):
    """The locks in force, newest first."""

    items: tuple[LockoutAnswer, ...]


class ClearedAnswer(Answer):
    """How many locks were ended."""

    cleared: int


def lockout_answer(locked: Locked) -> LockoutAnswer:
    """Return the answer model of a lock. The hash of a number is of use to nobody."""
    lockout, user = locked.lockout, locked.user
    return LockoutAnswer(
        id=lockout.id,
        tier=lockout.tier,
        scope=lockout.scope,
        reason=lockout.reason,
        since=lockout.since,
        until=lockout.until,
        user=None
        if user is None
        else LockedPerson(id=user.id, full_name=user.full_name, personnel_number=user.personnel_number),
        device_id=lockout.subject if lockout.scope == "device" else None,
    )
