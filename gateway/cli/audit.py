"""`stampgate audit`: what happened, newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.commands import Company, Json, administration_command, group
from gateway.cli.naming import some_companies
from gateway.cli.output import emit_items, hint, local_time, rfc3339, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.administration import Administration
    from storage.audit import AuditEvent


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "audit", "The audit trail.")

    @administration_command(commands, "list", example="stampgate audit list --name device.revoked --limit 20")
    async def list_(
        site: Administration,
        name: Annotated[str | None, typer.Option(metavar="EVENT", help="One kind, such as pin.locked.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
        cursor: Annotated[str | None, typer.Option(metavar="ID", help="Those before this event.")] = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """List events, newest first. People, terminals and companies are named; their ids are in --json."""
        within = await some_companies(site, company)
        page = await site.audit.list_(within.id if within else None, name=name, cursor=cursor, limit=limit)
        if as_json:
            emit_items([as_document(event) for event in page.events], page.next_cursor)
            return
        names = await _names(site, page.events)
        table(
            ("When", "Event", "By", "About", "Detail"),
            [
                (
                    local_time(event.at),
                    event.name,
                    names.get(event.actor, event.actor),
                    names.get(event.subject or "", event.subject or ""),
                    json.dumps(dict(event.detail), ensure_ascii=False) if event.detail else "",
                )
                for event in page.events
            ],
            empty="Nothing has happened yet.",
        )
        if page.next_cursor is not None:
            hint(f"There are older ones: --cursor {page.next_cursor}")


async def _names(site: Administration, events: Sequence[AuditEvent]) -> dict[str, str]:
    """What the parties of these events are called now."""
    from gateway.audit.parties import party_names

    names = {f"company:{one.id}": one.name for one in await site.companies.list_()}
    for company_id in {event.company_id for event in events if event.company_id}:
        own = [event for event in events if event.company_id == company_id]
        names |= await party_names(site.people, site.devices, own, company_id)
    return names


def as_document(event: AuditEvent) -> dict[str, Any]:
    """An event for scripts."""
    document = {
        "id": event.id,
        "at": rfc3339(event.at),
        "name": event.name,
        "actor": event.actor,
        "subject": event.subject,
        "company_id": event.company_id,
        "detail": dict(event.detail),
        "request_id": event.request_id,
    }
    return {field: value for field, value in document.items() if value is not None}
