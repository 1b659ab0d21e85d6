"""The audit trail: what happened, newest first, and one event in full."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.audit.models import AuditQuery
from gateway.audit_events import AuditName
from gateway.http.fields import is_id
from gateway.http.path_ids import path_id
from gateway.http.problems import Problem
from gateway.pages.console.forms import read_filter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.audit import AuditEvent

PAGE_SIZE = 50
UNKNOWN = "There is no such event."


class Audit:
    """The pages of the audit trail."""

    def __init__(self, shell: Shell) -> None:
        self._site = shell.site

    async def list_(self, visit: Visit) -> web.Response:
        """List events."""
        query = read_filter(AuditQuery, visit.request)
        page = await self._site.audit.list_(visit.company.id, name=query.name, cursor=query.cursor, limit=PAGE_SIZE)
        names = await self._names(visit, page.events)
        return visit.show(
            "audit", events=page.events, cursor=page.next_cursor, chosen=query.name, kinds=list(AuditName), names=names
        )

    async def page(self, visit: Visit) -> web.Response:
        """Show one event in full."""
        event = await self._site.audit.get(path_id(visit.request, UNKNOWN), visit.company.id)
        detail = json.dumps(dict(event.detail), ensure_ascii=False, indent=2, sort_keys=True) if event.detail else ""
        return visit.show("audit_event", event=event, detail=detail, names=await self._names(visit, [event]))

    async def _names(self, visit: Visit, events: Iterable[AuditEvent]) -> dict[str, str]:
        """What the people and terminals of these events are called now."""
        labels = {f"device:{one.id}": one.label for one in await self._site.devices.list_(visit.company.id)}
        for named in {name for event in events for name in (event.actor, event.subject) if name}:
            kind, _, own_id = named.partition(":")
            if kind == "user" and is_id(own_id):
                try:
                    labels[named] = (await self._site.people.get(own_id, visit.company.id)).full_name
                except Problem:
                    continue  # somebody of another company, whose name is none of this one's business
        return labels
