"""The audit trail: what happened, newest first, and one event in full."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from gateway.audit.models import AuditQuery
from gateway.audit.parties import party_names
from gateway.audit_events import AuditName
from gateway.http.path_ids import path_id
from gateway.http.problems import FieldError, Problem
from gateway.pages.console.forms import read_filter
from gateway.stamping.local_day import day_ends, midnight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.audit import AuditEvent

PAGE_SIZE = 50
CANDIDATES = 10
"""People and terminals offered when a search finds several."""

SEARCHED = 100
FILTERS = ("name", "subject", "q", "day")
UNKNOWN = "There is no such event."


class Audit:
    """The pages of the audit trail."""

    def __init__(self, shell: Shell) -> None:
        self._site = shell.site

    async def list_(self, visit: Visit) -> web.Response:
        """List events."""
        values = _nothing(visit)
        try:
            query, since, until = _filters(visit)
        except Problem as problem:
            return visit.again("audit", problem, **values)
        subject = query.subject
        if subject is None and (search := values["query"]["q"]):
            candidates = await self._search(visit, search)
            if len(candidates) != 1:
                return visit.show("audit", **(values | {"candidates": candidates, "is_unknown": not candidates}))
            subject = candidates[0][0]
        page = await self._site.audit.list_(
            visit.company.id,
            name=query.name,
            subject=subject,
            since=since,
            until=until,
            cursor=query.cursor,
            limit=PAGE_SIZE,
        )
        names = await self._names(visit, page.events, subject)
        kept = values["kept"] | ({} if subject is None else {"subject": subject, "q": ""})
        found = {"events": page.events, "cursor": page.next_cursor, "names": names, "subject": subject, "kept": kept}
        return visit.show("audit", **(values | found))

    async def page(self, visit: Visit) -> web.Response:
        """Show one event in full."""
        event = await self._site.audit.get(path_id(visit.request, UNKNOWN), visit.company.id)
        detail = json.dumps(dict(event.detail), ensure_ascii=False, indent=2, sort_keys=True) if event.detail else ""
        return visit.show("audit_event", event=event, detail=detail, names=await self._names(visit, [event]))

    async def _search(self, visit: Visit, search: str) -> list[tuple[str, str]]:
        """(subject, name) of the people and terminals that fit; numbers and addresses for those who may see them."""
        words = search.casefold()
        people = await self._site.people.list_(visit.company.id, search=search, limit=SEARCHED)
        devices = await self._site.devices.list_(visit.company.id)
        found = [
            *((f"device:{one.id}", one.label) for one in devices if words in one.label.casefold()),
            *(
                (f"user:{one.id}", one.full_name)
                for one in people
                if visit.may("people.read") or words in one.full_name.casefold()
            ),
        ]
        return found[:CANDIDATES]

    async def _names(self, visit: Visit, events: Iterable[AuditEvent], *further: str | None) -> dict[str, str]:
        return await party_names(self._site.people, self._site.devices, events, visit.company.id, *further)


def _filters(visit: Visit) -> tuple[AuditQuery, float | None, float | None]:
    """The filters, and the local day among them as Unix times. Raises Problem `bad-request` with every fault."""
    faults: list[FieldError] = []
    since = until = None
    search, text = (visit.request.query.get(name, "").strip() for name in ("q", "day"))
    if not search.isprintable():
        faults.append(FieldError("q", "must not contain control characters"))
    try:
        if text:
            day = date.fromisoformat(text)
            since, until = midnight(day, visit.zone), day_ends(day, visit.zone)
    except ValueError:
        faults.append(FieldError("day", "must be a date such as 2026-01-31"))
    try:
        query = read_filter(AuditQuery, visit.request)
    except Problem as problem:
        raise Problem("bad-request", errors=[*problem.errors, *faults]) from None
    if faults:
        raise Problem("bad-request", errors=faults)
    return query, since, until


def _nothing(visit: Visit) -> dict[str, Any]:
    """A page without events."""
    query = {name: visit.request.query.get(name, "").strip() for name in FILTERS}
    return {
        "events": [],
        "cursor": None,
        "names": {},
        "subject": None,
        "candidates": [],
        "is_unknown": False,
        "kinds": list(AuditName),
        "query": query,
        "kept": {name: value for name, value in query.items() if value},
    }
