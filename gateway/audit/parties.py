"""What the people, terminals and companies of audit events are called now, for those who read the trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.fields import is_id
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.devices.service import Devices
    from gateway.people.service import People
    from storage.audit import AuditEvent


async def party_names(
    people: People, devices: Devices, events: Iterable[AuditEvent], company_id: str, *further: str | None
) -> dict[str, str]:
    """Return names by party (`user:<id>`, `device:<id>`) of these events of one company, and of `further` parties.

    Whoever is of another company is left out: their name is none of this one's business.
    """
    parties = {name for event in events for name in (event.actor, event.subject) if name} | {
        name for name in further if name
    }
    names = {f"device:{one.id}": one.label for one in await devices.list_(company_id)}
    for party in parties:
        kind, _, own_id = party.partition(":")
        if kind == "user" and is_id(own_id):
            try:
                names[party] = (await people.get(own_id, company_id)).full_name
            except Problem:
                continue
    return names
