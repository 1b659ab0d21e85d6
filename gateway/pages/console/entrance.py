"""Signing in and out, and founding or joining a company."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs

from gateway.accounts.clients import client_label
from gateway.accounts.models import LoginBody, RegistrationBody
from gateway.accounts.registration import Applicant
from gateway.http.problems import Problem
from gateway.pages.console import cookies
from gateway.pages.console.addresses import HOME, SIGN_IN, safe_return
from gateway.pages.console.forms import read_model
from gateway.pages.console.new_password import mismatch
from gateway.pages.console.origin import needs_https

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.sessions import OpenedSession
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit


class Entrance:
    """The pages that lead in."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._gateway = shell.gateway

    async def sign_in_page(self, visit: Visit) -> web.Response:
        """Ask for e-mail and password; who is signed in goes on, and a gateway without a company begins with one."""
        following = safe_return(visit.request.query.get("next", HOME))
        if await self._shell.enter(visit):
            return visit.go(following)
        if self._shell.site.settings.registration == "first" and await self._gateway.registration.may_found():
            return visit.go("/console/sign-up")
        return await self._ask(visit, following)

    async def sign_in(self, visit: Visit) -> web.Response:
        """Open a session."""
        form, following = visit.form, safe_return(visit.form["next"])
        if not _keeps_cookies(visit):
            return await self._ask(visit, following, status=400, cookies_refused=True)
        try:
            body = read_model(LoginBody, {"email": form["email"], "password": form["password"]})
            return await self._open(visit, body.email, body.password, following)
        except Problem as problem:
            return await self._ask(visit, following, problem)

    async def sign_up_page(self, visit: Visit) -> web.Response:
        """Ask for what founding a company needs."""
        if await self._shell.enter(visit):
            return visit.go(HOME)
        if not await self._gateway.registration.may_found():
            return visit.go(SIGN_IN)
        return self._ready(visit, visit.show("sign_up", needs_https=self._needs_https(visit)))

    async def sign_up(self, visit: Visit) -> web.Response:
        """Found a company, and sign its owner in."""
        return await self._register(visit, "sign_up", "signed-up")

    async def join_page(self, visit: Visit) -> web.Response:
        """Ask for what accepting an invitation needs; its token is in the fragment, which a script moves to a field."""
        return self._ready(visit, visit.show("join", needs_https=self._needs_https(visit)))

    async def join(self, visit: Visit) -> web.Response:
        """Join a company, and sign in."""
        return await self._register(visit, "join", "joined")

    async def sign_out(self, visit: Visit) -> web.Response:
        """End this session."""
        await self._gateway.sessions.end(visit.me.user_id, visit.me.session_id)
        response = visit.go(SIGN_IN, "signed-out")
        cookies.drop_cookie(response, cookies.SESSION)
        return response

    async def _register(self, visit: Visit, template: str, said: str) -> web.Response:
        form, https = visit.form, self._needs_https(visit)
        if not _keeps_cookies(visit):
            return self._ready(visit, visit.show(template, status=400, needs_https=https, cookies_refused=True))
        try:
            wanted = ("email", "password", "full_name", "company_name" if template == "sign_up" else "invitation")
            body = read_model(RegistrationBody, {name: form[name] for name in wanted}, *mismatch(form, "password"))
            await self._gateway.source_quotas.count(visit.request, self._gateway.registration_quota)
            applicant = Applicant(
                email=body.email,
                password=body.password,
                full_name=body.full_name,
                company_name=body.company_name,
                invitation=body.invitation,
                locale=visit.language,
            )
            await self._gateway.registration.register(applicant, request_id=visit.request_id)
            return await self._open(visit, body.email, body.password, HOME, said)
        except Problem as problem:
            return self._ready(visit, visit.again(template, problem, needs_https=https))

    async def _open(
        self, visit: Visit, email: str, password: str, following: str, said: str | None = None
    ) -> web.Response:
        remember = visit.form["remember"] == "yes"
        _, opened = await self._gateway.own_account.sign_in(
            email,
            password,
            remember=remember,
            client=client_label(visit.request.headers.get(hdrs.USER_AGENT, "")),
            source=self._gateway.source_quotas.source(visit.request),
            request_id=visit.request_id,
        )
        if await self._shell.enter(visit):  # this browser's session of before: nobody will come back to it
            with contextlib.suppress(Problem):  # over by itself meanwhile
                await self._gateway.sessions.end(visit.me.user_id, visit.me.session_id)
        response = visit.go(following, said)
        keep_session(response, opened, self._shell.clock())
        return response

    async def _ask(
        self,
        visit: Visit,
        following: str,
        problem: Problem | None = None,
        *,
        status: int = 200,
        cookies_refused: bool = False,
    ) -> web.Response:
        values: dict[str, Any] = {
            "next": following,
            "may_found": await self._gateway.registration.may_found(),
            "needs_https": self._needs_https(visit),
            "cookies_refused": cookies_refused,
        }
        if problem is None:
            return self._ready(visit, visit.show("sign_in", status=status, **values))
        return self._ready(visit, visit.again("sign_in", problem, **values))

    def _needs_https(self, visit: Visit) -> bool:
        return needs_https(visit.request, self._shell.site.public_url)

    @staticmethod
    def _ready(visit: Visit, response: web.Response) -> web.Response:
        """Try whether this browser keeps our cookies here, before somebody types a password."""
        if cookies.HERE not in visit.request.cookies:
            cookies.set_cookie(response, cookies.HERE, "1")
        return response


def keep_session(response: web.StreamResponse, opened: OpenedSession, now: float) -> None:
    """Have the browser keep a session's token; only a remembered one outlives the browser."""
    session = opened.session
    seconds = max(0, int(session.expires_at - now)) if session.remember else None
    cookies.set_cookie(response, cookies.SESSION, opened.token, seconds=seconds)


def _keeps_cookies(visit: Visit) -> bool:
    """Tell whether the browser has kept the cookie of the page before; else signing in would lead back to itself."""
    return cookies.HERE in visit.request.cookies or cookies.SESSION in visit.request.cookies
