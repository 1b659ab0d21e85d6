"""Phone stamping: the switch, the link, and the poster right after the link was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.http.problems import FieldError, Problem
from gateway.pages.console.qr import inline_svg
from gateway.phone.poster import FILE_FORMATS, PAPERS

if TYPE_CHECKING:
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit

PAGE = "/console/phone"


class PhoneStamping:
    """The pages of phone stamping."""

    def __init__(self, shell: Shell) -> None:
        self._companies = shell.site.companies
        self._lockouts = shell.site.lockouts
        self._posters = shell.gateway.posters

    async def page(self, visit: Visit) -> web.Response:
        """Show whether phone stamping is on or pauses, and since when there is a poster; never the poster itself."""
        locks = await self._lockouts.list_(visit.company.id) if visit.may("lockouts.read") else []
        pauses = [lock for lock in locks if lock.lockout.scope == "company"]
        return visit.show("phone", link=await self._companies.link_state(visit.company.id), pauses=pauses)

    async def switch(self, visit: Visit) -> web.Response:
        """Switch phone stamping on or off."""
        if (wanted := visit.form["enabled"]) not in ("yes", "no"):  # never off by mistake
            raise Problem("bad-request", errors=[FieldError("enabled", "is not valid")])
        is_on = wanted == "yes"
        await self._companies.update(visit.company.id, {"public_stamp_enabled": is_on}, **visit.by)
        return visit.go(PAGE, "phone-on" if is_on else "phone-off")

    async def rotate_page(self, visit: Visit) -> web.Response:
        """Say what a new poster does to the old one."""
        return visit.show("phone_rotate", link=await self._companies.link_state(visit.company.id))

    async def rotate(self, visit: Visit) -> web.Response:
        """Make a new link and show its poster, as the answer to this post: only the link's SHA-256 is kept."""
        rotated = await self._companies.rotate_link(visit.company.id, **visit.by)
        drawn = await self._posters.draw(visit.company.id, rotated.token, "svg", "a4")
        return visit.show(
            "poster",
            poster=inline_svg(drawn.content),
            token=rotated.token,
            address=rotated.url,
            enabled=rotated.enabled,
            formats=FILE_FORMATS,
            papers=PAPERS,
            page=PAGE,
        )

    async def download(self, visit: Visit) -> web.Response:
        """Answer with the poster as a file; the page that the link was made on carries its token."""
        file_format = next((known for known in FILE_FORMATS if known == visit.form["format"]), None)
        paper = next((known for known in PAPERS if known == visit.form["paper"]), None)
        if file_format is None or paper is None:
            raise Problem("bad-request", errors=[FieldError("format", "is not valid")])
        file = await self._posters.draw(visit.company.id, visit.form["link_token"], file_format, paper)
        return web.Response(body=file.content, headers=file.headers)

    async def end_page(self, visit: Visit) -> web.Response:
        """Say what ending the poster does."""
        return visit.show("phone_end")

    async def end(self, visit: Visit) -> web.Response:
        """Let the poster die without a new one."""
        await self._companies.disable_link(visit.company.id, **visit.by)
        return visit.go(PAGE, "poster-ended")
