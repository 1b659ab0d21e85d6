"""The poster of the current link as a file, for whoever still has its token: the gateway keeps only a hash of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

from aiohttp import hdrs, web
from pydantic import Field

from gateway.accounts.protected import protected
from gateway.companies.own_company import own_company
from gateway.http.bodies import Body, read_json
from gateway.http.fields import Token
from gateway.phone.poster import CONTENT_TYPES, FileFormat, Paper, poster
from gateway.stamping.local_day import date_of, zone_named

if TYPE_CHECKING:
    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.companies.service import Companies
    from gateway.http.routes import Route

AT_ONCE: Final = 2
"""Posters drawn at the same time; a PNG for A3 takes a second and 50 MB."""


class PosterBody(Body):
    """Which poster; `token` is the one that rotating the link has shown."""

    token: Token
    format: FileFormat
    paper: Annotated[Paper, Field(description="A3 is the same, enlarged.")] = "a4"


class PosterRoute:
    """The one handler. Posters are drawn in threads, a few at a time, so that stamps never wait for a picture."""

    def __init__(self, *, gate: AccountGate, companies: Companies) -> None:
        self._gate = gate
        self._companies = companies
        self._drawing = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> list[Route]:
        """Return the route."""
        return [
            protected(
                self._gate,
                "poster.make",
                self.make,
                method="POST",
                path="/api/companies/{id}/public-stamp/poster",
                summary="Draw the poster of the current link as SVG, PNG or PDF",
                tag="companies",
                body=PosterBody,
                answers={200: None},
                produces=", ".join(CONTENT_TYPES.values()),
                problems=("not-found", "link-not-valid"),
            )
        ]

    async def make(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Draw the poster."""
        company_id = own_company(request, signed_in)
        body = await read_json(request, PosterBody)
        link = await self._companies.poster_link(company_id, body.token)
        issued = date_of(link.created_at, zone_named(link.company.timezone))
        async with self._drawing:
            file = await asyncio.to_thread(
                poster, link.company.name, link.url, issued, file_format=body.format, paper=body.paper
            )
        return web.Response(
            body=file,
            headers={
                hdrs.CONTENT_TYPE: CONTENT_TYPES[body.format],
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="poster-{body.paper}.{body.format}"',
            },
        )
