"""Phone stamping: the switch, the link, and the poster right after the link was made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from gateway.http.problems import FieldError, Problem
from gateway.pages.console.qr import inline_svg
from gateway.phone.poster import CONTENT_TYPES, FILE_FORMATS, PAPERS, poster
from gateway.stamping.local_day import date_of

if TYPE_CHECKING:
    from gateway.companies.service import PosterLink
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from gateway.phone.poster import FileFormat, Paper

PAGE = "/console/phone"


class PhoneStamping:
    """The pages of phone stamping."""

    def __init__(self, shell: Shell) -> None:
        self._companies = shell.site.companies

    async def page(self, visit: Visit) -> web.Response:
        """Show whether phone stamping is on, and since when there is a poster; never the poster itself."""
        return visit.show("phone", link=await self._companies.link_state(visit.company.id))

    async def switch(self, visit: Visit) -> web.Response:
        """Switch phone stamping on or off."""
        is_on = visit.form["enabled"] == "yes"
        await self._companies.update(visit.company.id, {"public_stamp_enabled": is_on}, **visit.by)
        return visit.go(PAGE, "phone-on" if is_on else "phone-off")

    async def rotate_page(self, visit: Visit) -> web.Response:
        """Say what a new poster does to the old one."""
        return visit.show("phone_rotate", link=await self._companies.link_state(visit.company.id))

    async def rotate(self, visit: Visit) -> web.Response:
        """Make a new link and show its poster, as the answer to this post: only the link's SHA-256 is kept."""
        rotated = await self._companies.rotate_link(visit.company.id, **visit.by)
        link = await self._companies.poster_link(visit.company.id, rotated.token)
        drawn = await self._draw(visit, link, "svg", "a4")
        return visit.show(
            "poster",
            poster=inline_svg(drawn),
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
        link = await self._companies.poster_link(visit.company.id, visit.form["link_token"])
        return web.Response(
            body=await self._draw(visit, link, file_format, paper),
            headers={
                hdrs.CONTENT_TYPE: CONTENT_TYPES[file_format],
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="poster-{paper}.{file_format}"',
                hdrs.CACHE_CONTROL: "no-store",
            },
        )

    async def end_page(self, visit: Visit) -> web.Response:
        """Say what ending the poster does."""
        return visit.show("phone_end")

    async def end(self, visit: Visit) -> web.Response:
        """Let the poster die without a new one."""
        await self._companies.disable_link(visit.company.id, **visit.by)
        return visit.go(PAGE, "poster-ended")

    @staticmethod
    async def _draw(visit: Visit, link: PosterLink, file_format: FileFormat, paper: Paper) -> bytes:
        issued = date_of(link.created_at, visit.zone)
        return await asyncio.to_thread(
            poster, link.company.name, link.url, issued, file_format=file_format, paper=paper
        )
