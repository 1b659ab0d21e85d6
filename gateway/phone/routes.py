"""Routes of the phone tier: public, weaker on purpose, and marked as such in every stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from crypto.tokens import new_token, token_hash
from gateway.http.answers import JsonAnswer, json_response
from gateway.http.bodies import read_json
from gateway.http.client_address import address_key
from gateway.http.middlewares import REQUEST_ID
from gateway.http.problems import Problem
from gateway.http.routes import Route
from gateway.phone.models import LinkAnswer, LinkBody, LinkCompany, PhoneLoginBody, PhoneSessionAnswer
from gateway.pin_login.models import EmployeeAnswer
from gateway.pin_login.service import Credentials
from gateway.stamping.models import (
    ActionBody,
    DaysAnswer,
    RecordedAnswer,
    StatusAnswer,
    days_answer,
    recorded_json,
    status_answer,
)
from gateway.stamping.records import StampRequest
from storage.ephemeral.phone_sessions import SESSION_SECONDS, PhoneSession

if TYPE_CHECKING:
    from gateway.app import Gateway
    from storage.companies import Company

TAG: Final = "phone"
BEARER: Final = "Bearer "
TOKEN_LENGTH: Final = 43
"""Characters of a session token: 256 bits in base64url."""


class PhoneRoutes:
    """The handlers, over the services of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Return the routes of this tier."""
        base = "/api/time/public"
        return [
            Route(
                method="POST",
                path=f"{base}/company",
                handler=self.company,
                summary="Whose poster is this, and is it still valid?",
                tag=TAG,
                access="public",
                body=LinkBody,
                answers={200: LinkAnswer},
                problems=("link-not-valid", "state-unavailable"),
            ),
            Route(
                method="POST",
                path=f"{base}/auth",
                handler=self.auth,
                summary="Sign an employee in by a poster's link",
                tag=TAG,
                access="public",
                body=PhoneLoginBody,
                answers={200: PhoneSessionAnswer},
                problems=("link-not-valid", "login-failed", "login-throttled", "busy", "state-unavailable"),
            ),
            Route(
                method="GET",
                path=f"{base}/status",
                handler=self.status,
                summary="What is true of the employee now",
                tag=TAG,
                access="phone-session",
                answers={200: StatusAnswer},
            ),
            Route(
                method="GET",
                path=f"{base}/days",
                handler=self.days,
                summary="The employee's own last seven days",
                tag=TAG,
                access="phone-session",
                answers={200: DaysAnswer},
            ),
            Route(
                method="POST",
                path=f"{base}/action",
                handler=self.action,
                summary="Stamp",
                tag=TAG,
                access="phone-session",
                body=ActionBody,
                answers={201: RecordedAnswer, 200: RecordedAnswer},
                problems=("action-not-valid", "stamp-id-reused"),
            ),
            Route(
                method="POST",
                path=f"{base}/logout",
                handler=self.logout,
                summary="Sign the employee out",
                tag=TAG,
                access="phone-session",
            ),
        ]

    async def company(self, request: web.Request) -> web.Response:
        """Tell whose poster it is; wrong, rotated and switched off look the same."""
        company = self._linked((await read_json(request, LinkBody)).token, request)
        answer = LinkCompany(name=company.name, timezone=company.timezone, locale=company.locale)
        return json_response(LinkAnswer(company=answer))

    async def auth(self, request: web.Request) -> web.Response:
        """Sign an employee in for 120 seconds."""
        gateway = self._gateway
        body = await read_json(request, PhoneLoginBody)
        company, trust_seq = self._linked(body.token, request), gateway.feed.seen
        signed_in = await gateway.pin_login.sign_in(
            Credentials(
                tier="phone",
                company_id=company.id,
                personnel_number=body.personnel_number,
                pin=body.pin,
                request_id=request[REQUEST_ID],
                source=address_key(gateway.addresses.of(request)),
                link_version=company.link_version,
            )
        )
        user, token = signed_in.user, new_token(gateway.administration.randomness)
        status = await gateway.stamping.status(user.id, user.company_id)
        session = PhoneSession(user.id, company.id, company.link_version, trust_seq, gateway.administration.clock())
        await gateway.phone_sessions.open(token_hash(token), session, session.started)
        answer = PhoneSessionAnswer(
            session_token=token,
            expires_in=int(SESSION_SECONDS),
            employee=EmployeeAnswer(display_name=user.full_name),
            failed_attempts=signed_in.failed_attempts,
            status=status_answer(status),
        )
        return json_response(answer)

    async def status(self, request: web.Request) -> web.Response:
        """Tell what is true of the employee now."""
        session = await self._session(request)
        return json_response(status_answer(await self._gateway.stamping.status(session.user_id, session.company_id)))

    async def days(self, request: web.Request) -> web.Response:
        """Tell the employee's own last days."""
        session = await self._session(request)
        return json_response(days_answer(await self._gateway.stamping.days(session.user_id, session.company_id)))

    async def action(self, request: web.Request) -> web.Response:
        """Stamp, marked as a phone's with the poster's version."""
        body = await read_json(request, ActionBody)
        session = await self._session(request)
        recorded = await self._gateway.stamping.record(
            StampRequest(
                user_id=session.user_id,
                company_id=session.company_id,
                stamp_id=body.stamp_id,
                action=body.action,
                tier="phone",
                request_id=request[REQUEST_ID],
                link_version=session.link_version,
            )
        )
        return JsonAnswer(recorded_json(recorded), 200 if recorded.repeated else 201)

    async def logout(self, request: web.Request) -> web.Response:
        """End the session."""
        await self._session(request)
        await self._gateway.phone_sessions.end(_bearer_hash(request))
        return web.Response(status=204)

    def _linked(self, token: str, request: web.Request) -> Company:
        """Return the company of a poster's token. Raises `Problem`."""
        gateway, link_hash = self._gateway, token_hash(token)
        if not gateway.feed.is_fresh:
            raise Problem("state-unavailable", cause="the trust feed is too old")
        company = gateway.companies_known.by_link(link_hash)
        if company is None:
            dead = gateway.companies_known.dead_link(link_hash)
            gateway.dead_posters.note(dead, request[REQUEST_ID])
            cause = "a link that nobody was given" if dead is None else f"poster {dead.version}: {dead.why}"
            raise Problem("link-not-valid", cause=cause)
        return company

    async def _session(self, request: web.Request) -> PhoneSession:
        """Return the session of a request. Raises `Problem` and `EphemeralUnavailable`."""
        gateway = self._gateway
        if not gateway.feed.is_fresh:
            raise Problem("state-unavailable", cause="the trust feed is too old")
        session = await gateway.phone_sessions.read(_bearer_hash(request), gateway.administration.clock())
        if session is None:
            raise Problem("session-expired", cause="no such session")
        # The company is a subject of its own: rotating or switching off the link ends its phone sessions.
        if gateway.endings.has_ended(session.trust_seq, session.user_id, session.company_id):
            raise Problem("session-expired", cause="ended by a change of trust")
        return session


def _bearer_hash(request: web.Request) -> bytes:
    """Return the SHA-256 of the session token in the Authorization field."""
    values = request.headers.getall(hdrs.AUTHORIZATION, ())
    if len(values) != 1 or not values[0].startswith(BEARER) or len(values[0]) != len(BEARER) + TOKEN_LENGTH:
        raise Problem("session-expired", cause="no session token")
    return token_hash(values[0][len(BEARER) :])
