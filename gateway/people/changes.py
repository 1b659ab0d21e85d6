"""Changing a person: what each change needs, and the owner who stays.

| who is changed | what | needs |
|---|---|---|
| anybody | the role | `role.change` |
| an employee | name, number, e-mail, whether active | `people.change` |
| anybody else | the e-mail, whether active | `staff.change`: whoever changes the address can take the login |
| owner or it | anything | `staff.change`: HR never edits those above it |
| hr | name, number | `people.change` |

It is judged against what is true inside the transaction, on the locked row: two changes at once follow one another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gateway.accounts.roles import Role
from gateway.audit_events import AuditName, event
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from gateway.people.fields import read_person
from gateway.trust_feed import kinds
from storage import account_sessions, audit, password_resets, trust_changes, users
from storage.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from storage.database import Database
    from storage.users import User

_UNTOUCHABLE: Final = frozenset({Role.OWNER, Role.IT})
_LOGIN: Final = frozenset({"email", "active"})
_TOLD: Final = frozenset({"role", "active"})
"""What the audit trail tells the new value of; that the others changed is enough."""

TAKEN: Final = {
    "users.email": FieldError("email", "belongs to somebody already"),
    "users.company_id,users.personnel_number": FieldError("personnel_number", "belongs to somebody already"),
}


def anything_goes(permission: str) -> None:
    """Whoever runs a command on the gateway's machine may do everything."""


def needed(role: str, changed: frozenset[str]) -> list[str]:
    """The permissions for changing these fields of somebody in `role`."""
    found = ["people.change"]
    if role != Role.EMPLOYEE and (role in _UNTOUCHABLE or changed & _LOGIN):
        found.append("staff.change")
    if "role" in changed:
        found.append("role.change")
    return found


def check_whole(*, role: str, personnel_number: str | None, email: str | None) -> None:
    """Refuse a person nobody could be. Raises Problem `bad-request` with every fault."""
    faults = []
    if personnel_number is None and email is None:
        faults.append(FieldError("personnel_number", "is needed, unless there is an e-mail"))
    if role != Role.EMPLOYEE and email is None:
        faults.append(FieldError("email", "is needed for this role, which is of use only with a login"))
    if faults:
        raise Problem("bad-request", errors=faults)


def taken(conflict: Conflict) -> Problem:
    """The refusal of a number or an address that somebody has already."""
    fault = TAKEN.get(conflict.constraint)
    return Problem("conflict", errors=[] if fault is None else [fault], cause=str(conflict))


async def found(
    connection: AsyncConnection, user_id: str, company_id: str | None = None, *, lock: bool = False
) -> User:
    """One person, of that company if one is named. Raises Problem `not-found`, for a foreign one as for none."""
    user = await users.get(connection, user_id, lock=lock)
    if user is None or company_id not in (None, user.company_id):
        raise Problem("not-found", "There is no such person.")
    return user


class Changing:
    """Changes of people; see `People.change`."""

    def __init__(self, database: Database, clock: Clock, new_id: NewId, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._changed = changed

    async def run(
        self,
        company_id: str | None,
        user_id: str,
        changes: Mapping[str, Any],
        *,
        require: Callable[[str], None],
        actor: str,
        request_id: str | None,
    ) -> User:
        """Read, judge, write."""
        texts = {name: value for name, value in changes.items() if name != "active" and value is not None}
        values: dict[str, Any] = {**changes, **read_person(texts)}
        try:
            async with self._database.write() as connection:
                before = await found(connection, user_id, company_id, lock=True)
                changed = {name: value for name, value in values.items() if getattr(before, name) != value}
                for permission in needed(before.role, frozenset(changed)) if changed else ():
                    require(permission)
                after = replace(before, **changed)
                check_whole(role=after.role, personnel_number=after.personnel_number, email=after.email)
                if changed:
                    await self._write(connection, before, after, changed, actor, request_id)
        except Conflict as conflict:
            raise taken(conflict) from None
        if not _TOLD.isdisjoint(changed):
            self._changed()
        return after

    async def _write(
        self,
        connection: AsyncConnection,
        before: User,
        after: User,
        changed: Mapping[str, Any],
        actor: str,
        request_id: str | None,
    ) -> None:
        now = self._clock()
        columns = {name: value for name, value in changed.items() if name != "active"}
        await users.update(connection, before.id, **columns)
        if "active" in changed:
            await users.set_active(connection, before.id, after.active)
            if not after.active:  # not only refused while it lasts: who is let in again starts anew
                await account_sessions.end_all(connection, before.id)
                await password_resets.forget(connection, before.id)
        told = {name: value for name, value in changed.items() if name in _TOLD}
        silent = sorted(changed.keys() - _TOLD)
        await audit.append(
            connection,
            event(
                AuditName.USER_CHANGED,
                id=self._new_id(),
                at=now,
                actor=actor,
                company_id=before.company_id,
                subject=f"user:{before.id}",
                detail=told | ({"changed": silent} if silent else {}),
                request_id=request_id,
            ),
        )
        if told:
            await trust_changes.append(connection, kinds.PERSON, before.id, {}, now)
        if _is_ruling(before) and not _is_ruling(after):
            # Asked last: trust changes wait for each other, so two owners cannot shut each other out at once.
            people = await users.active_owners(connection, before.company_id)
            if not people:
                raise Problem("conflict", "This is the last active owner of the company, who stays.")


def _is_ruling(user: User) -> bool:
    return user.role == Role.OWNER and user.active
