"""Routes of a company: its settings, invitations, and the link on its poster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway.accounts.invitations import UNKNOWN
from gateway.accounts.protected import actor, protected
from gateway.companies.models import (
    CompanyChanges,
    CompanySettings,
    InvitationAnswer,
    InvitationBody,
    InvitationsAnswer,
    LinkStateAnswer,
    RotatedLinkAnswer,
    company_settings,
    invitation_answer,
)
from gateway.companies.own_company import own_company
from gateway.http.answers import json_response
from gateway.http.bodies import read_json
from gateway.http.middlewares import REQUEST_ID
from gateway.http.path_ids import path_id

if TYPE_CHECKING:
    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.accounts.invitations import Invitations
    from gateway.companies.service import Companies
    from gateway.http.routes import Route

TAG: Final = "companies"


class CompanyRoutes:
    """The handlers. Everybody's company is the one they are signed in to; any other does not exist for them."""

    def __init__(self, *, gate: AccountGate, companies: Companies, invitations: Invitations) -> None:
        self._gate = gate
        self._companies = companies
        self._invitations = invitations

    def routes(self) -> list[Route]:
        """Return the routes of companies."""
        gate, one = self._gate, "/api/companies/{id}"
        return [
            protected(
                gate,
                "company.read",
                self.read,
                method="GET",
                path=one,
                summary="The company and its settings",
                tag=TAG,
                answers={200: CompanySettings},
                problems=("not-found",),
            ),
            protected(
                gate,
                "company.change",
                self.change,
                method="PATCH",
                path=one,
                summary="Change settings; switching phone stamping ends open phone sessions",
                tag=TAG,
                body=CompanyChanges,
                answers={200: CompanySettings},
                problems=("not-found",),
            ),
            protected(
                gate,
                "company.read",
                self.invitations,
                method="GET",
                path=f"{one}/invitations",
                summary="Open invitations, newest first",
                tag=TAG,
                answers={200: InvitationsAnswer},
                problems=("not-found",),
            ),
            protected(
                gate,
                "invitation.create",
                self.invite,
                method="POST",
                path=f"{one}/invitations",
                summary="Invite somebody by mail; an earlier invitation of the address dies",
                tag=TAG,
                body=InvitationBody,
                answers={201: InvitationAnswer},
                problems=("not-found", "conflict", "busy"),
            ),
            protected(
                gate,
                "invitation.withdraw",
                self.withdraw,
                method="DELETE",
                path=f"{one}/invitations/{{invitation_id}}",
                summary="Withdraw an invitation; its link is worthless at once",
                tag=TAG,
                problems=("not-found",),
            ),
            protected(
                gate,
                "link.read",
                self.link,
                method="GET",
                path=f"{one}/public-stamp",
                summary="Whether phone stamping is on and there is a link",
                tag=TAG,
                answers={200: LinkStateAnswer},
                problems=("not-found",),
            ),
            protected(
                gate,
                "link.rotate",
                self.rotate_link,
                method="POST",
                path=f"{one}/public-stamp/rotate",
                summary="Make a new link; the old poster dies at once",
                tag=TAG,
                answers={201: RotatedLinkAnswer},
                problems=("not-found",),
            ),
            protected(
                gate,
                "link.disable",
                self.disable_link,
                method="DELETE",
                path=f"{one}/public-stamp",
                summary="Let the poster die without a new one",
                tag=TAG,
                problems=("not-found",),
            ),
        ]

    async def read(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Show the company."""
        return json_response(company_settings(await self._companies.get(own_company(request, signed_in))))

    async def change(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Change settings."""
        company_id = own_company(request, signed_in)
        changes = (await read_json(request, CompanyChanges)).given()
        company = await self._companies.update(
            company_id, changes, actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        return json_response(company_settings(company))

    async def invite(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Invite somebody; the link goes to the address alone, so that who answers has shown it is theirs."""
        company_id = own_company(request, signed_in)
        body = await read_json(request, InvitationBody)
        invited = await self._invitations.invite(
            company_id,
            email=body.email,
            role=body.role,
            actor=actor(signed_in.user_id),
            invited_by=signed_in.user_id,
            request_id=request[REQUEST_ID],
        )
        return json_response(invitation_answer(invited.invitation), 201)

    async def invitations(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List the open invitations."""
        found = await self._invitations.list_(own_company(request, signed_in))
        return json_response(InvitationsAnswer(items=tuple(map(invitation_answer, found))))

    async def withdraw(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Withdraw an invitation."""
        company_id = own_company(request, signed_in)
        await self._invitations.withdraw(
            company_id,
            path_id(request, UNKNOWN, "invitation_id"),
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return web.Response(status=204)

    async def link(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Tell about the link, but not the link."""
        state = await self._companies.link_state(own_company(request, signed_in))
        answer = LinkStateAnswer(
            enabled=state.enabled, active=state.active, created_at=state.created_at, version=state.version
        )
        return json_response(answer)

    async def rotate_link(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Make a new link and show it this once."""
        rotated = await self._companies.rotate_link(
            own_company(request, signed_in), actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        return json_response(
            RotatedLinkAnswer(token=rotated.token, url=rotated.url, created_at=rotated.created_at), 201
        )

    async def disable_link(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Let the link die. Without one that is done already."""
        await self._companies.disable_link(
            own_company(request, signed_in), actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        return web.Response(status=204)
