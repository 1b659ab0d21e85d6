"""Carrying out an import of people: one transaction, bulk statements, and no half of a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from gateway.people.csv_import import LineFault, Plan, plan_import, read_sheet
from storage import audit, companies, user_import, users
from storage.errors import Conflict
from storage.users import User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from gateway.people.csv_import import Sheet
    from storage.audit import AuditEvent
    from storage.database import Database

PEOPLE_AT_ONCE: Final = 500
"""Between two signs of progress: some 20 ms of work."""

_EVERYBODY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Imported:
    """How many people an import added and changed, or, when it did nothing at all, why.

    `additions` are those people, `changes` each person as they were and as they are (or would be) then.
    """

    created: int
    updated: int
    errors: tuple[LineFault, ...] = ()
    additions: tuple[User, ...] = ()
    changes: tuple[tuple[User, User], ...] = ()


class Importing:
    """One import into one company."""

    def __init__(self, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def run(
        self,
        company_id: str,
        data: bytes,
        *,
        actor: str,
        on_progress: Callable[[int, int], None],
        dry_run: bool,
        request_id: str | None,
    ) -> Imported:
        """Read, compare, write. See `People.import_csv`."""
        sheet = await asyncio.to_thread(read_sheet, data)
        try:
            async with self._database.write() as connection:
                plan, people = await self._plan(connection, company_id, sheet)
                faults = (*sheet.faults, *plan.faults)
                if faults:
                    return Imported(0, 0, tuple(sorted(faults, key=lambda fault: fault.line)))
                created, updated = self._created(plan, company_id), self._updated(plan, people)
                outcome = Imported(
                    created=len(created),
                    updated=len(updated),
                    additions=tuple(created),
                    changes=tuple((people[user.id], user) for user in updated),
                )
                if dry_run:
                    return outcome
                total = len(created) + len(updated)
                done = 0
                for name, batch in (
                    *_batches(AuditName.USER_CREATED, created),
                    *_batches(AuditName.USER_CHANGED, updated),
                ):
                    write = user_import.add_many if name is AuditName.USER_CREATED else user_import.update_many
                    await write(connection, batch)
                    await audit.append(connection, *(self._event(name, user, actor, request_id) for user in batch))
                    done += len(batch)
                    on_progress(done, total)
        except Conflict:
            # Somebody added one of these people between our reading and our writing (PostgreSQL only).
            raise Problem("conflict", "Somebody changed these people at the same moment: try again.") from None
        return outcome

    async def _plan(self, connection: AsyncConnection, company_id: str, sheet: Sheet) -> tuple[Plan, dict[str, User]]:
        if await companies.get(connection, company_id) is None:
            raise Problem("not-found", "There is no such company.")
        people = await users.list_(connection, company_id, limit=_EVERYBODY)
        rows = sorted((*sheet.rows, *sheet.damaged), key=lambda row: row.line)
        emails = {row.email for row in rows if row.email is not None}
        elsewhere = await user_import.emails_elsewhere(connection, emails, company_id)
        return plan_import(rows, people, elsewhere), {user.id: user for user in people}

    def _created(self, plan: Plan, company_id: str) -> list[User]:
        now = self._clock()
        return [
            User(
                id=self._new_id(),
                company_id=company_id,
                full_name=row.full_name,
                role="employee",
                created_at=now,
                personnel_number=row.personnel_number,
                email=row.email,
            )
            for row in plan.created
        ]

    @staticmethod
    def _updated(plan: Plan, people: dict[str, User]) -> list[User]:
        return [_changed(people[change.user_id], change.changes) for change in plan.updated]

    def _event(self, name: AuditName, user: User, actor: str, request_id: str | None) -> AuditEvent:
        return event(
            name,
            id=self._new_id(),
            at=self._clock(),
            actor=actor,
            company_id=user.company_id,
            subject=f"user:{user.id}",
            detail={"by": "import"},
            request_id=request_id,
        )


def _changed(user: User, changes: dict[str, str]) -> User:
    return replace(
        user,
        full_name=changes.get("full_name", user.full_name),
        personnel_number=changes.get("personnel_number", user.personnel_number),
        email=changes.get("email", user.email),
    )


def _batches(name: AuditName, people: Sequence[User]) -> list[tuple[AuditName, Sequence[User]]]:
    return [(name, people[start : start + PEOPLE_AT_ONCE]) for start in range(0, len(people), PEOPLE_AT_ONCE)]
