"""Reading the audit trail, newest first, page by page. Nothing here writes: events belong to what they report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.audit_events import AuditName
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from storage import audit

if TYPE_CHECKING:
    from storage.audit import AuditEvent
    from storage.database import Database

PAGE_LIMIT: Final = 1000
"""Events of one page at most."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, and where the next page begins; None at the end."""

    events: tuple[AuditEvent, ...]
    next_cursor: str | None


class AuditTrail:
    """The trail of a company, or of the whole gateway."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_(
        self,
        company_id: str | None = None,
        *,
        name: str | None = None,
        subject: str | None = None,
        since: float | None = None,
        until: float | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page:
        """At most `limit` events older than `cursor`, newest first.

        `name` selects one kind, `subject` what they are about (`user:<id>`, `device:<id>`), `since` (included) and
        `until` (not) when they happened, in Unix seconds. Raises Problem `bad-request` for a name there is not.
        """
        if name is not None and name not in set(AuditName):
            raise Problem("bad-request", errors=[FieldError("name", "is not the name of an event")])
        limit = min(max(limit, 1), PAGE_LIMIT)
        async with self._database.read() as connection:
            events = await audit.list_(
                connection, company_id, name, cursor, limit + 1, subject=subject, since=since, until=until
            )
        more = len(events) > limit
        return Page(tuple(events[:limit]), events[limit - 1].id if more else None)

    async def get(self, event_id: str, company_id: str) -> AuditEvent:
        """One event. Raises Problem `not-found`, also for one of another company."""
        async with self._database.read() as connection:
            found = await audit.get(connection, event_id)
        if found is None or found.company_id != company_id:
            raise Problem("not-found", "There is no such event.")
        return found
