"""Locks: who is locked out, why and until when, and letting people in before that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.path_ids import path_id

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit

LIST = "/console/locks"
UNKNOWN = "There is no such lock, or it is over."


class Locks:
    """The pages of locks."""

    def __init__(self, shell: Shell) -> None:
        self._site = shell.site

    async def list_(self, visit: Visit) -> web.Response:
        """List the locks in force."""
        locks = await self._site.lockouts.list_(visit.company.id)
        labels = {device.id: device.label for device in await self._site.devices.list_(visit.company.id)}
        return visit.show("locks", locks=locks, labels=labels)

    async def unlock(self, visit: Visit) -> web.Response:
        """End one lock."""
        lock_id = path_id(visit.request, UNKNOWN)
        await self._site.lockouts.clear([lock_id], company_id=visit.company.id, **visit.by)
        return visit.go(LIST, "unlocked")

    async def unlock_all_page(self, visit: Visit) -> web.Response:
        """Ask before every lock ends."""
        locks = await self._site.lockouts.list_(visit.company.id)
        return visit.show("unlock_all", count=sum(lock.ends_by_itself for lock in locks))

    async def unlock_all(self, visit: Visit) -> web.Response:
        """End every lock that ends by itself."""
        cleared = await self._site.lockouts.clear_all(visit.company.id, **visit.by)
        return visit.go(LIST, "all-unlocked", len(cleared))
