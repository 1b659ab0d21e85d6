"""Settings of the company, who has a login, and inviting more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.accounts.invitations import UNKNOWN
from gateway.accounts.roles import Role
from gateway.companies.fields import time_zones
from gateway.companies.models import CompanyChanges, InvitationBody
from gateway.companies.service import LOCALES
from gateway.http.path_ids import path_id
from gateway.http.problems import Problem
from gateway.pages.console.forms import read_model

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.invitations import Invitation

PAGE = "/console/settings"
EVERYBODY = 100_000


class SettingsPages:
    """The pages of settings."""

    def __init__(self, shell: Shell) -> None:
        self._site = shell.site
        self._invitations = shell.gateway.invitations

    async def page(self, visit: Visit) -> web.Response:
        """Show the settings."""
        return visit.show("settings", **await self._values(visit))

    async def change(self, visit: Visit) -> web.Response:
        """Change settings."""
        form = visit.form
        values: dict[str, Any] = {name: form[name].strip() for name in ("name", "timezone", "locale")}
        values["kiosk_networks"] = form.lines("kiosk_networks")
        try:
            changes = read_model(CompanyChanges, values).given()
            await self._site.companies.update(visit.company.id, changes, **visit.by)
        except Problem as problem:
            return visit.again("settings", problem, **await self._values(visit))
        return visit.go(PAGE, "settings-changed")

    async def invite_page(self, visit: Visit) -> web.Response:
        """Ask whom to invite, and as what."""
        return visit.show("invite", roles=list(Role), has_mail=self._has_mail)

    async def invite(self, visit: Visit) -> web.Response:
        """Invite somebody; the link goes by mail and is shown to nobody here."""
        try:
            body = read_model(InvitationBody, {name: visit.form[name].strip() for name in ("email", "role")})
            await self._invitations.invite(
                visit.company.id, email=body.email, role=body.role, invited_by=visit.me.user_id, **visit.by
            )
        except Problem as problem:
            return visit.again("invite", problem, roles=list(Role), has_mail=self._has_mail)
        return visit.go(PAGE, "invited" if self._has_mail else "invited-without-mail")

    async def withdraw_page(self, visit: Visit) -> web.Response:
        """Ask before an invitation is withdrawn."""
        return visit.show("invitation_withdraw", invitation=await self._invitation(visit))

    async def withdraw(self, visit: Visit) -> web.Response:
        """Withdraw an invitation."""
        await self._invitations.withdraw(visit.company.id, path_id(visit.request, UNKNOWN), **visit.by)
        return visit.go(PAGE, "invitation-withdrawn")

    async def _invitation(self, visit: Visit) -> Invitation:
        wanted = path_id(visit.request, UNKNOWN)
        for one in await self._invitations.list_(visit.company.id):
            if one.id == wanted:
                return one
        raise Problem("not-found", UNKNOWN)

    @property
    def _has_mail(self) -> bool:
        return self._site.settings.smtp_server is not None

    async def _values(self, visit: Visit) -> dict[str, Any]:
        people = await self._site.people.list_(visit.company.id, limit=EVERYBODY)
        return {
            "zones": sorted(time_zones()),
            "locales": LOCALES,
            "invitations": await self._invitations.list_(visit.company.id),
            "logins": [user for user in people if user.email is not None],
        }
