"""Stamps as lists: page by page, whole for a file, and where everybody is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from gateway.stamping.actions import Presence, State
from gateway.stamping.local_day import zone_named
from gateway.stamping.records import Status, status_of
from storage import audit, companies, stamp_history, users, who_is_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from storage.companies import Company
    from storage.database import Database
    from storage.stamp_history import ListedStamp, Wanted
    from storage.who_is_in import PresentPerson

EXPORT_PAGE: Final = 500
"""Stamps of an export that are in memory at a time; between two pages nothing is held, so no writer waits."""


@dataclass(frozen=True, slots=True)
class PersonNow:
    """A person and what is true of them now."""

    person: PresentPerson
    status: Status


class StampHistory:
    """Reads stamps and corrections of one company."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def page(self, wanted: Wanted, after: tuple[float, str] | None, limit: int) -> list[ListedStamp]:
        """At most `limit` stamps, newest first, behind the place `after`.

        Raises Problem `not-found` when a person is wanted who is not of this company.
        """
        async with self._database.read() as connection:
            await _require_person(connection, wanted)
            return await stamp_history.page(connection, wanted, after=after, limit=limit)

    async def one(self, company_id: str, stamp_id: str) -> ListedStamp:
        """One stamp or correction. Raises Problem `not-found`, also for one of another company."""
        async with self._database.read() as connection:
            found = await stamp_history.get(connection, stamp_id)
        if found is None or found.company_id != company_id:
            raise Problem("not-found", "There is no such stamp.")
        return found

    async def export(
        self, wanted: Wanted, *, actor: str, request_id: str | None = None
    ) -> tuple[Company, AsyncIterator[ListedStamp]]:
        """Everything wanted, oldest first, as it is read, and the company. That it was taken out is an audit event.

        Raises Problem `not-found` as `page`, before anything is read.
        """
        now = self._clock()
        async with self._database.write() as connection:
            await _require_person(connection, wanted)
            company = await companies.get(connection, wanted.company_id)
            if company is None:
                raise Problem("not-found", "There is no such company.")
            await audit.append(
                connection,
                event(
                    AuditName.STAMPS_EXPORTED,
                    id=self._new_id(),
                    at=now,
                    actor=actor,
                    company_id=company.id,
                    subject=f"company:{company.id}" if wanted.user_id is None else f"user:{wanted.user_id}",
                    detail={"from": wanted.start, "to": wanted.end},
                    request_id=request_id,
                ),
            )
        return company, self._all(wanted)

    async def _all(self, wanted: Wanted) -> AsyncIterator[ListedStamp]:
        after = None
        while True:
            async with self._database.read() as connection:
                page = await stamp_history.page(connection, wanted, after=after, limit=EXPORT_PAGE, newest_first=False)
            for stamp in page:
                yield stamp
            if len(page) < EXPORT_PAGE:
                return
            after = (page[-1].at, page[-1].id)

    async def who_is(
        self, company_id: str, states: Collection[State], after: str | None, limit: int
    ) -> list[PersonNow]:
        """Active people in one of `states` now, by name, at most `limit`, those behind the person with id `after`."""
        now = self._clock()
        async with self._database.read() as connection:
            company = await companies.get(connection, company_id)
            names = [state.value for state in states]
            found = await who_is_in.list_(connection, company_id, names, after, limit)
        if company is None:
            raise Problem("not-found", "There is no such company.")
        zone = zone_named(company.timezone)
        return [PersonNow(person, status_of(_presence(person), now, zone)) for person in found]


async def _require_person(connection: AsyncConnection, wanted: Wanted) -> None:
    if wanted.user_id is not None:
        user = await users.get(connection, wanted.user_id)
        if user is None or user.company_id != wanted.company_id:
            raise Problem("not-found", "There is no such person.")


def _presence(person: PresentPerson) -> Presence:
    return Presence(
        state=State(person.state),
        since=person.since,
        sequence=person.sequence,
        open_since=person.open_since,
        worked_day=person.worked_day,
        worked_seconds=person.worked_seconds,
        clock_out_missing=bool(person.clock_out_missing),
    )
