"""The first page: who is in, on break and out, and what needs somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.devices.attention import ends_soon, is_copied, is_silent
from gateway.devices.lifecycle import DeviceState
from gateway.stamping.actions import State

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from gateway.stamping.history import PersonNow

SHOWN: Final = 200
"""People named in one list; a larger company looks a person up."""

LOOKED_AT: Final = 5000
"""People that are counted."""


class Today:
    """The page itself."""

    def __init__(self, shell: Shell) -> None:
        self._site = shell.site

    async def page(self, visit: Visit) -> web.Response:
        """Show what whoever is signed in may know; an employee's first page is the own stamps."""
        if not any(map(visit.may, ("presence.read", "device.read", "lockouts.read"))):
            return visit.go("/console/stamps")
        company, now = visit.company.id, visit.dates.now
        nothing = ("groups", "missing", "devices", "silent", "waiting", "ending", "copied")
        values: dict[str, Any] = {name: [] for name in (*nothing, "pauses", "locks", "posters")} | {"labels": {}}
        if visit.may("presence.read"):
            groups = [(state.value, await self._who(company, state)) for state in (State.IN, State.BREAK, State.OUT)]
            values["groups"] = [(name, people[:SHOWN], len(people)) for name, people in groups]
            values["missing"] = [one for _, people in groups for one in people if one.status.clock_out_missing]
        if visit.may("device.read"):
            devices = await self._site.devices.list_(company)
            values["devices"] = devices
            values["silent"] = [device for device in devices if is_silent(device, now)]
            values["waiting"] = [device for device in devices if device.state == DeviceState.PENDING]
            values["copied"] = [device for device in devices if is_copied(device)]
            values["ending"] = [device for device in devices if ends_soon(device, now)]
        if visit.may("lockouts.read"):
            for lock in await self._site.lockouts.list_(company):
                values["pauses" if lock.is_pause else "locks"].append(lock)
            if any(lock.lockout.scope == "device" for lock in values["pauses"]):
                values["labels"] = {device.id: device.label for device in await self._site.devices.list_(company)}
        if visit.may("link.read"):
            values["posters"] = await self._site.companies.scanned_posters(company)
        values["people"] = await self._site.people.list_(company, limit=2) if visit.may("people.read") else None
        return visit.show("today", **values)

    async def _who(self, company_id: str, state: State) -> list[PersonNow]:
        """Who is in this state; those without a personnel number cannot stamp, so they are not out either."""
        found = await self._site.history.who_is(company_id, (state,), None, LOOKED_AT)
        return [one for one in found if one.person.personnel_number is not None]
