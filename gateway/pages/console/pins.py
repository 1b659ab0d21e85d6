"""PINs: one for a person, shown this once with a slip to print, or slips for everybody who has none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from gateway.http.problems import Problem
from gateway.pages.console.people import LIST
from gateway.people.changes import needed
from gateway.people.pin_slips import Recipient, pin_slip, pin_slips_pdf
from gateway.stamping.local_day import date_of
from storage.errors import StorageError

if TYPE_CHECKING:
    from datetime import date

    from gateway.pages.console.people import PeoplePages
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.users import User

AT_ONCE: Final = 200
"""Slips of one file: PINs are hashed one after the other, and a browser waits no longer than that takes."""

EVERYBODY: Final = 100_000


class Pins:
    """The pages of PINs. They are drawn by the gateway: nobody chooses somebody else's."""

    def __init__(self, shell: Shell, people: PeoplePages) -> None:
        self._people = shell.site.people
        self._pages = people

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
        """Say who has no PIN, before all of them get one."""
        return visit.show("pin_slips", people=await self._without(visit), at_once=AT_ONCE)

    async def many(self, visit: Visit) -> web.Response:
        """Give everybody without a PIN one, and answer with the slips."""
        recipients = await self._set_missing(visit)
        if not recipients:
            return visit.go("/console/people/slips")
        company = visit.company
        document = await asyncio.to_thread(pin_slips_pdf, company.name, company.locale, recipients, _today(visit))
        return web.Response(
            body=document,
            headers={
                hdrs.CONTENT_TYPE: "application/pdf",
                hdrs.CONTENT_DISPOSITION: 'attachment; filename="pin-slips.pdf"',
                hdrs.CACHE_CONTROL: "no-store",
            },
        )

    async def _set_missing(self, visit: Visit) -> list[Recipient]:
        """Set PINs one after the other. What ends it early ends it there: the PINs set by then are on their slips.

        Raises what kept the very first one from being set.
        """
        recipients: list[Recipient] = []
        for user in (await self._without(visit))[:AT_ONCE]:
            try:
                pin = await self._people.set_pin(
                    user.id, company_id=visit.company.id, only_if_none=True, require=visit.require, **visit.by
                )
            except (Problem, StorageError) as error:
                if isinstance(error, Problem) and error.name in ("conflict", "not-found"):
                    continue  # changed at this moment: on the list again next time, if still without a PIN
                if recipients:
                    break
                raise
            if pin is not None:  # None: somebody else, or the same click twice, was faster
                recipients.append(Recipient(user.full_name, user.personnel_number or "", pin))
        return recipients

    async def _without(self, visit: Visit) -> list[User]:
        """Who is active, has a personnel number and no PIN, and may be given one by whoever is signed in."""
        people = await self._people.list_(visit.company.id, active=True, limit=EVERYBODY)
        return [
            user
            for user in people
            if user.personnel_number is not None
            and not user.has_pin
            and all(map(visit.may, needed(user.role, frozenset({"pin"}))))
        ]


def _today(visit: Visit) -> date:
    return date_of(visit.dates.now, visit.zone)
