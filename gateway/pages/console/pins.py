"""PINs: one for a person, shown this once with a slip to print, or slips for everybody who has none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from gateway.http.problems import Problem
from gateway.pages.console.people import LIST
from gateway.people.pin_slips import Recipient, pin_slip
from gateway.people.slip_jobs import KEEP_SECONDS, Starter
from gateway.stamping.local_day import date_of

if TYPE_CHECKING:
    from datetime import date

    from gateway.pages.console.people import PeoplePages
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit

SLIPS: Final = f"{LIST}/slips"


class Pins:
    """The pages of PINs. They are drawn by the gateway: nobody chooses somebody else's."""

    def __init__(self, shell: Shell, people: PeoplePages) -> None:
        self._people = shell.site.people
        self._pages = people
        self._jobs = shell.gateway.slip_jobs

    async def page(self, visit: Visit) -> web.Response:
        """Ask before a PIN is set."""
        return visit.show("pin", user=await self._pages.own(visit))

    async def set_(self, visit: Visit) -> web.Response:
        """Set a PIN and show it, as the answer to this post: it is known at this moment only."""
        user = await self._pages.own(visit)
        try:
            pin = await self._people.set_pin(user.id, company_id=visit.company.id, require=visit.require, **visit.by)
        except Problem as problem:
            return visit.again("pin", problem, user=user)
        recipient = Recipient(user.full_name, user.personnel_number or "", pin or "")
        slip = pin_slip(visit.company.name, visit.company.locale, recipient, _today(visit))
        return visit.show("pin_set", user=user, slip=slip, page=f"{LIST}/{user.id}")

    async def set_own(self, visit: Visit) -> web.Response:
        """Give whoever is signed in a new PIN, and show it likewise."""
        user = await self._people.get(visit.me.user_id, visit.company.id)
        pin = await self._people.set_pin(user.id, company_id=visit.company.id, by_oneself=True, **visit.by)
        recipient = Recipient(user.full_name, user.personnel_number or "", pin or "")
        slip = pin_slip(visit.company.name, visit.company.locale, recipient, _today(visit))
        return visit.show("pin_set", user=user, slip=slip, page="/console/account")

    async def many_page(self, visit: Visit) -> web.Response:
        """Say who has no PIN, before all of them get one; how far that is; or that the slips are ready."""
        job = await self._jobs.of(visit.me.user_id)
        if job is not None:
            return visit.show(
                "pin_slips_job", job=job, running=self._jobs.is_running(job), ends=job.created_at + KEEP_SECONDS
            )
        return visit.show("pin_slips", people=await self._jobs.without_pin(visit.company.id, visit.me.role))

    async def many(self, visit: Visit) -> web.Response:
        """Begin to give everybody without a PIN one."""
        await self._jobs.start(visit.company.id, _starter(visit))
        return visit.go(SLIPS)

    async def fetch(self, visit: Visit) -> web.Response:
        """Answer with the slips, this once."""
        try:
            document = await self._jobs.take(visit.company, _starter(visit), is_there=partial(_is_there, visit))
        except Problem as problem:
            if problem.name == "not-found":
                return visit.go(SLIPS, "slips-fetched")
            if problem.name == "conflict":
                return visit.go(SLIPS)
            raise
        if document is None:
            return visit.go(SLIPS)
        return web.Response(
            body=document,
            headers={
                hdrs.CONTENT_TYPE: "application/pdf",
                hdrs.CONTENT_DISPOSITION: 'attachment; filename="pin-slips.pdf"',
                hdrs.CACHE_CONTROL: "no-store",
            },
        )


def _is_there(visit: Visit) -> bool:
    """Tell whether the browser still waits for this answer; of a click that another one followed it does not."""
    transport = visit.request.transport
    return transport is not None and not transport.is_closing()


def _starter(visit: Visit) -> Starter:
    return Starter(visit.me.user_id, visit.me.role, **visit.by)


def _today(visit: Visit) -> date:
    return date_of(visit.dates.now, visit.zone)
