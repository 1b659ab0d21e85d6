"""The route that answers with the poster of the current link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from aiohttp import web
from pydantic import Field

from gateway.accounts.protected import protected
from gateway.companies.own_company import own_company
from gateway.http.bodies import read_json
from gateway.http.fields import Token
from gateway.http.models import Body
from gateway.phone.poster import CONTENT_TYPES, FileFormat, Paper

if TYPE_CHECKING:
    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.http.routes import Route
    from gateway.phone.posters import Posters


class PosterBody(Body):
    """Which poster; `token` is the one that rotating the link has shown."""

    token: Token
    format: FileFormat
    paper: Annotated[Paper, Field(description="A3 is the same, enlarged.")] = "a4"


class PosterRoute:
    """The one handler."""

    def __init__(self, *, gate: AccountGate, posters: Posters) -> None:
        self._gate = gate
        self._posters = posters

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
        file = await self._posters.draw(company_id, body.token, body.format, body.paper)
        return web.Response(body=file.content, headers=file.headers)
