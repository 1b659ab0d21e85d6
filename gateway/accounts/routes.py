"""Routes of e-mail logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from gateway.accounts.clients import client_label
from gateway.accounts.models import (
    ConfirmBody,
    LoginAnswer,
    LoginBody,
    PasswordChangeBody,
    RegisteredAnswer,
    RegistrationBody,
    ResetBody,
    ResetRequestBody,
    SessionAnswer,
    SessionsAnswer,
    ValidAnswer,
)
from gateway.accounts.registration import Applicant
from gateway.http.answers import json_response
from gateway.http.bodies import read_json
from gateway.http.fields import is_id
from gateway.http.middlewares import REQUEST_ID
from gateway.http.problems import Problem
from gateway.http.routes import Route
from gateway.people.models import user_answer

if TYPE_CHECKING:
    from gateway.accounts.gate import SignedIn
    from gateway.app import Gateway

TAG: Final = "accounts"


class AccountRoutes:
    """The handlers, over the services of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Return the routes of e-mail logins."""
        return [*self._public(), *self._own()]

    def _public(self) -> list[Route]:
        base = "/api/auth"
        return [
            Route(
                method="POST",
                path=f"{base}/register",
                handler=self.register,
                summary="Found a company as its owner, or join one by an invitation",
                tag=TAG,
                access="public",
                body=RegistrationBody,
                answers={201: RegisteredAnswer},
                problems=(
                    *("registration-closed", "invitation-not-valid", "conflict"),
                    *("too-many-requests", "busy", "state-unavailable"),
                ),
            ),
            Route(
                method="POST",
                path=f"{base}/login",
                handler=self.login,
                summary="Sign in with e-mail and password",
                tag=TAG,
                access="public",
                body=LoginBody,
                answers={200: LoginAnswer},
                problems=("login-failed", "login-throttled", "too-many-requests", "busy", "state-unavailable"),
            ),
            Route(
                method="POST",
                path=f"{base}/request-reset",
                handler=self.request_reset,
                summary="Have a link to set a new password sent, if somebody signs in with this address",
                tag=TAG,
                access="public",
                body=ResetRequestBody,
                answers={202: None},
                problems=("too-many-requests", "busy", "state-unavailable"),
            ),
            Route(
                method="POST",
                path=f"{base}/reset-password",
                handler=self.reset_password,
                summary="Set a new password by a mailed link; every session ends",
                tag=TAG,
                access="public",
                body=ResetBody,
                problems=("reset-not-valid", "busy", "state-unavailable"),
            ),
        ]

    def _own(self) -> list[Route]:
        base, protect = "/api/auth", self._gateway.account_gate.protect
        checked = ("login-failed", "login-throttled", "busy")
        return [
            Route(
                method="POST",
                path=f"{base}/logout",
                handler=protect(self.logout, None),
                summary="End this session",
                tag=TAG,
                access="account",
            ),
            Route(
                method="GET",
                path=f"{base}/me",
                handler=protect(self.me, None),
                summary="Who is signed in",
                tag=TAG,
                access="account",
                answers={200: RegisteredAnswer},
            ),
            Route(
                method="GET",
                path=f"{base}/validate",
                handler=protect(self.validate, None),
                summary="Whether a token is good, and until when",
                tag=TAG,
                access="account",
                answers={200: ValidAnswer},
            ),
            Route(
                method="POST",
                path=f"{base}/confirm",
                handler=protect(self.confirm, None),
                summary="Enter the password again, for the sensitive acts of the next ten minutes",
                tag=TAG,
                access="account",
                body=ConfirmBody,
                problems=checked,
            ),
            Route(
                method="POST",
                path=f"{base}/change-password",
                handler=protect(self.change_password, None),
                summary="Change one's password; every other session ends",
                tag=TAG,
                access="account",
                body=PasswordChangeBody,
                problems=checked,
            ),
            Route(
                method="GET",
                path=f"{base}/sessions",
                handler=protect(self.sessions, None),
                summary="One's own sessions",
                tag=TAG,
                access="account",
                answers={200: SessionsAnswer},
            ),
            Route(
                method="DELETE",
                path=f"{base}/sessions",
                handler=protect(self.end_others, None),
                summary="End all one's sessions but this one",
                tag=TAG,
                access="account",
            ),
            Route(
                method="DELETE",
                path=f"{base}/sessions/{{id}}",
                handler=protect(self.end_session, None),
                summary="End one of one's sessions",
                tag=TAG,
                access="account",
                problems=("not-found",),
            ),
        ]

    async def register(self, request: web.Request) -> web.Response:
        """Register somebody; few per source address, whether it succeeds or not."""
        body = await read_json(request, RegistrationBody)
        await self._gateway.source_quotas.count(request, self._gateway.registration_quota)
        applicant = Applicant(
            email=body.email,
            password=body.password,
            full_name=body.full_name,
            company_name=body.company_name,
            invitation=body.invitation,
        )
        user = await self._gateway.registration.register(applicant, request_id=request[REQUEST_ID])
        return json_response(RegisteredAnswer(user=user_answer(user)), 201)

    async def login(self, request: web.Request) -> web.Response:
        """Open a session."""
        body = await read_json(request, LoginBody)
        user, opened = await self._gateway.own_account.sign_in(
            body.email,
            body.password,
            client=client_label(request.headers.get(hdrs.USER_AGENT, "")),
            source=self._gateway.source_quotas.source(request),
            request_id=request[REQUEST_ID],
        )
        answer = LoginAnswer(token=opened.token, expires_at=opened.session.expires_at, user=user_answer(user))
        return json_response(answer)

    async def request_reset(self, request: web.Request) -> web.Response:
        """Take note of an address; what comes of it is found out after this answer."""
        body = await read_json(request, ResetRequestBody)
        await self._gateway.source_quotas.count(request, self._gateway.reset_quota)
        self._gateway.password_resets.request(body.email)
        return web.Response(status=202)

    async def reset_password(self, request: web.Request) -> web.Response:
        """Set a new password by a mailed link."""
        body = await read_json(request, ResetBody)
        await self._gateway.password_resets.reset(body.token, body.password, request_id=request[REQUEST_ID])
        return web.Response(status=204)

    async def logout(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """End this session."""
        await self._gateway.sessions.end(signed_in.user_id, signed_in.session_id)
        return web.Response(status=204)

    async def me(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Tell who is signed in."""
        user = await self._gateway.administration.people.get(signed_in.user_id)
        return json_response(RegisteredAnswer(user=user_answer(user)))

    async def validate(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Tell until when the token is good; one that is not never gets here."""
        return json_response(ValidAnswer(valid=True, expires_at=signed_in.expires_at))

    async def confirm(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Enter the password again."""
        body = await read_json(request, ConfirmBody)
        await self._gateway.own_account.confirm(signed_in, body.password, request_id=request[REQUEST_ID])
        return web.Response(status=204)

    async def change_password(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Change one's password."""
        body = await read_json(request, PasswordChangeBody)
        await self._gateway.own_account.change_password(
            signed_in, body.current_password, body.new_password, request_id=request[REQUEST_ID]
        )
        return web.Response(status=204)

    async def sessions(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List one's own sessions."""
        found = await self._gateway.sessions.list_(signed_in.user_id)
        answers = [
            SessionAnswer(
                id=session.id,
                created_at=session.created_at,
                last_seen_at=session.last_seen_at,
                expires_at=session.expires_at,
                current=session.id == signed_in.session_id,
                client=session.client,
            )
            for session in found
        ]
        return json_response(SessionsAnswer(items=tuple(answers)))

    async def end_session(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """End one of one's sessions, this one too; those of others are not found."""
        session_id = request.match_info["id"]
        if not is_id(session_id):
            raise Problem("not-found", "There is no such session.")
        await self._gateway.sessions.end(signed_in.user_id, session_id)
        return web.Response(status=204)

    async def end_others(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """End all one's sessions but this one."""
        await self._gateway.sessions.end_others(signed_in.user_id, signed_in.session_id)
        return web.Response(status=204)
