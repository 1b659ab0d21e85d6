"""Posters of the current link as files, for the interface and the console alike, drawn a few at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs

from gateway.phone.poster import CONTENT_TYPES, FileFormat, Paper, poster
from gateway.stamping.local_day import date_of, zone_named

if TYPE_CHECKING:
    from gateway.companies.service import Companies

AT_ONCE: Final = 2
"""Posters drawn at the same time; a PNG for A3 takes a second and 50 MB."""


@dataclass(frozen=True, slots=True)
class PosterFile:
    """A drawn poster and the fields of the answer that carries it."""

    content: bytes
    headers: dict[str, str]


class Posters:
    """Draws posters in threads, so that stamps never wait for a picture."""

    def __init__(self, companies: Companies) -> None:
        self._companies = companies
        self._drawing = asyncio.Semaphore(AT_ONCE)

    async def draw(self, company_id: str, token: str, file_format: FileFormat, paper: Paper) -> PosterFile:
        """Draw the poster of a company's current link, for whoever still has its token: we keep only a hash of it.

        Raises Problem `not-found` and `link-not-valid`.
        """
        link = await self._companies.poster_link(company_id, token)
        issued = date_of(link.created_at, zone_named(link.company.timezone))
        async with self._drawing:
            content = await asyncio.to_thread(
                poster, link.company.name, link.url, issued, file_format=file_format, paper=paper
            )
        return PosterFile(
            content,
            {
                hdrs.CONTENT_TYPE: CONTENT_TYPES[file_format],
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="poster-{paper}.{file_format}"',
                hdrs.CACHE_CONTROL: "no-store",
            },
        )
