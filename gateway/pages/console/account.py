"""One's own login: forgotten and changed passwords, entering it again, and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.accounts.models import PasswordChangeBody, ResetBody, ResetRequestBody
from gateway.http.path_ids import path_id
from gateway.http.problems import FieldError, Problem
from gateway.pages.console import cookies
from gateway.pages.console.addresses import HOME, SIGN_IN, safe_return
from gateway.pages.console.forms import read_model
from gateway.pages.console.new_password import mismatch
from gateway.pages.console.shell import PASSWORD_AGAIN

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit

ACCOUNT = "/console/account"
UNKNOWN = "There is no such session."


class Account:
    """The pages of one's own login."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._gateway = shell.gateway

    async def forgotten_page(self, visit: Visit) -> web.Response:
        """Ask for the address."""
        return visit.show("forgotten_password", sent=False, has_mail=self._has_mail)

    async def forgotten(self, visit: Visit) -> web.Response:
        """Take note of the address; the answer is the same for every one."""
        try:
            body = read_model(ResetRequestBody, {"email": visit.form["email"]})
            await self._gateway.source_quotas.count(visit.request, self._gateway.reset_quota)
            self._gateway.password_resets.request(body.email)
        except Problem as problem:
            return visit.again("forgotten_password", problem, sent=False, has_mail=self._has_mail)
        return visit.show("forgotten_password", sent=True, has_mail=self._has_mail)

    async def reset_page(self, visit: Visit) -> web.Response:
        """Ask for a new password; the token is in the fragment, which a script moves to its field."""
        return visit.show("password_reset")

    async def reset(self, visit: Visit) -> web.Response:
        """Set a new password by a mailed link."""
        form = visit.form
        try:
            values = {"token": form["token"].strip(), "password": form["password"]}
            body = read_model(ResetBody, values, *mismatch(form, "password"))
            await self._gateway.password_resets.reset(body.token, body.password, request_id=visit.request_id)
        except Problem as problem:
            return visit.again("password_reset", problem)
        response = visit.go(SIGN_IN, "password-reset")
        cookies.drop_cookie(response, cookies.SESSION)
        return response

    async def page(self, visit: Visit) -> web.Response:
        """Show one's sessions, and the form for another password."""
        return visit.show("account", **await self._values(visit))

    async def change_password(self, visit: Visit) -> web.Response:
        """Change one's password."""
        form = visit.form
        try:
            values = {name: form[name] for name in ("current_password", "new_password")}
            body = read_model(PasswordChangeBody, values, *mismatch(form, "new_password"))
            await self._gateway.own_account.change_password(
                visit.me, body.current_password, body.new_password, request_id=visit.request_id
            )
        except Problem as problem:
            return visit.again("account", problem, typed_in="current_password", **await self._values(visit))
        return visit.go(ACCOUNT, "password-changed")

    async def end_session(self, visit: Visit) -> web.Response:
        """End one of one's sessions, this one too."""
        session_id = path_id(visit.request, UNKNOWN)
        await self._gateway.sessions.end(visit.me.user_id, session_id)
        if session_id != visit.me.session_id:
            return visit.go(ACCOUNT, "session-ended")
        response = visit.go(SIGN_IN, "signed-out")
        cookies.drop_cookie(response, cookies.SESSION)
        return response

    async def end_others(self, visit: Visit) -> web.Response:
        """End all one's sessions but this one."""
        await self._gateway.sessions.end_others(visit.me.user_id, visit.me.session_id)
        return visit.go(ACCOUNT, "sessions-ended")

    async def confirm_page(self, visit: Visit) -> web.Response:
        """Ask for the password before a page that needs it fresh."""
        return visit.show("confirm", carried={}, next=safe_return(visit.request.query.get("next", HOME)))

    async def confirm(self, visit: Visit) -> web.Response:
        """Go on to where one was. The password itself was checked on the way here, if there was one."""
        following = safe_return(visit.form["next"])
        if visit.form[PASSWORD_AGAIN]:
            return visit.go(following, "confirmed")
        faults = visit.field_faults([FieldError(PASSWORD_AGAIN, "must not be empty")])
        return visit.show("confirm", status=400, faults=faults, carried={}, next=following)

    @property
    def _has_mail(self) -> bool:
        return self._shell.site.settings.smtp_server is not None

    async def _values(self, visit: Visit) -> dict[str, Any]:
        return {
            "sessions": await self._gateway.sessions.list_(visit.me.user_id),
            "user": await self._shell.site.people.get(visit.me.user_id, visit.company.id),
        }
