"""What every page of the console goes through: language, origin, session, permission, and refusals as pages.

In this order, and each step before the next: a post from another site is refused before anything of it is read; who is
not signed in is led to the sign-in and back; whose role does not have the permission is refused; a password that came
along with a post is checked; then the same gate as the interface's decides. A sensitive act whose password is too old
comes back as a page that asks for it and carries along what was typed, so that nothing has to be typed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from gateway.http.middlewares import REQUEST_ID
from gateway.http.problem_answers import from_error
from gateway.http.problems import Problem
from gateway.pages.assets import load_asset
from gateway.pages.catalogues import load_catalogues
from gateway.pages.console import cookies
from gateway.pages.console.addresses import HOME, confirm_address, sign_in_address
from gateway.pages.console.forms import Form, read_form
from gateway.pages.console.origin import is_arriving, require_same_origin
from gateway.pages.console.texts import problem_text
from gateway.pages.console.visit import Visit
from gateway.pages.phone import PAGE_HEADERS, environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.app import Gateway
    from gateway.http.routes import Handler

    VisitHandler = Callable[[Visit], Awaitable[web.StreamResponse]]

PASSWORD_AGAIN: Final = "confirm_password"  # noqa: S105 a field's name
"""The field of a post that carries the password for a sensitive act."""

NEVER_CARRIED: Final = ("password", "pin", "token")
"""Fields with one of these in their name are not put into a page again."""

FILE: Final = "file"
"""The field with the file, in the forms that have one."""

READS: Final = ("GET", "HEAD")


class Shell:
    """Wraps the handlers of all pages, over the services of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.site = gateway.administration
        self.gate = gateway.account_gate
        self.clock = self.site.clock
        self.templates = environment()
        self.catalogues = load_catalogues()
        self.style = load_asset("console.css")
        self.script = load_asset("console.js")
        self.icon = load_asset("stamp.svg").address
        # Who is signed in decides about a page, and so does the language.
        self.page_headers = {**PAGE_HEADERS, "Vary": "Accept-Language, Cookie"}
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

    def public(self, handler: VisitHandler) -> Handler:
        """Return a handler that anybody reaches."""

        async def serve(request: web.Request) -> web.StreamResponse:
            visit = Visit(self, request)
            try:
                if request.method not in READS:
                    require_same_origin(request)
                    visit.form = await read_form(request)
                return await handler(visit)
            except Exception as error:  # noqa: BLE001 whatever it is, people get a page
                return self._refuse(visit, error)

        return serve

    def protected(
        self, handler: VisitHandler, permission: str, *, page: str | None = None, limit: int | None = None
    ) -> Handler:
        """Return a handler that only people with `permission` reach.

        `page`: the page on which a post's form stands, if that has another address than the post. `limit`: bytes of a
        form with a file.
        """

        async def serve(request: web.Request) -> web.StreamResponse:
            visit = Visit(self, request)
            posts = request.method not in READS
            back = visit.back = page.format_map(request.match_info) if page else request.path
            try:
                if posts:
                    require_same_origin(request)
                else:
                    back = request.path_qs
                if not await self.enter(visit):
                    if not posts and is_arriving(request):
                        return visit.show("arriving")
                    return self._to_sign_in(visit, back)
                if not visit.may(permission):
                    visit.require(permission)
                if posts:
                    visit.form = await (read_form(request) if limit is None else read_form(request, limit, file=FILE))
                    if visit.form[PASSWORD_AGAIN] and (refused := await self._confirm(visit)) is not None:
                        return refused
                visit.require(permission)
                return await handler(visit)
            except Problem as problem:
                if problem.name == "confirmation-required":
                    return self.ask_again(visit) if posts else visit.go(confirm_address(back))
                if problem.name == "not-signed-in":
                    return self._to_sign_in(visit, back)
                return self._refuse(visit, problem)
            except Exception as error:  # noqa: BLE001 whatever it is, people get a page
                return self._refuse(visit, error)

        return serve

    async def enter(self, visit: Visit) -> bool:
        """Tell whether the cookie is of somebody signed in, and note who."""
        token = visit.request.cookies.get(cookies.SESSION)
        if not token:
            return False
        try:
            signed_in = await self.gate.identify(token)
        except Problem as problem:
            if problem.name != "not-signed-in":
                raise
            return False
        visit.enter(signed_in, await self.site.companies.get(signed_in.company_id))
        return True

    def ask_again(self, visit: Visit, problem: Problem | None = None) -> web.Response:
        """Ask for the password, carrying along what was typed."""
        carried = {
            name: value
            for name, value in visit.form.items()
            if not any(secret in name.lower() for secret in NEVER_CARRIED) and name != PASSWORD_AGAIN
        }
        visit.form = Form()
        faults = {} if problem is None else visit.password_faults(problem, PASSWORD_AGAIN)
        return visit.show(
            "confirm", status=403 if problem is None else problem.status, faults=faults, carried=carried, next=None
        )

    async def _confirm(self, visit: Visit) -> web.Response | None:
        """Check the password that came along; None when it was right."""
        password = visit.form[PASSWORD_AGAIN]
        try:
            await self.gateway.own_account.confirm(visit.me, password, request_id=visit.request_id)
        except Problem as problem:
            if problem.name not in ("login-failed", "login-throttled", "busy"):
                raise
            return self.ask_again(visit, problem)
        if not await self.enter(visit):
            raise Problem("not-signed-in", cause="ended while the password was checked")
        return None

    def _to_sign_in(self, visit: Visit, back: str) -> web.Response:
        response = visit.go(sign_in_address(back))
        if cookies.SESSION in visit.request.cookies:
            cookies.drop_cookie(response, cookies.SESSION)
        return response

    def _refuse(self, visit: Visit, error: Exception) -> web.StreamResponse:
        """Answer with the page of a refusal; what nobody expected is logged with its places in the code."""
        if isinstance(error, web.HTTPException) and error.status < 400:
            raise error
        problem = from_error(error) or Problem("internal-error", cause=type(error).__name__)
        self.gateway.metrics.refused(problem.name)
        route = visit.request.match_info.route.resource
        fields: dict[str, Any] = {
            "method": visit.request.method,
            "route": "" if route is None else route.canonical,
            "problem": problem.name,
            "cause": problem.cause,
            "request_id": visit.request[REQUEST_ID],
        }
        if problem.name == "internal-error":
            self._log.error("failed", exc_info=error, **fields)
        else:
            self._log.info("refused", **fields)
        text = problem_text(problem.name, problem.detail, problem.retry_after, visit.gettext)
        response = visit.show("refused", status=problem.status, text=text, request_id=visit.request_id, home=HOME)
        response.headers.update(problem.headers)
        if problem.retry_after is not None:
            response.headers["Retry-After"] = str(problem.retry_after)
        return response
