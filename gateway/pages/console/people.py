"""People: the list, one of them, adding and changing, and whether somebody may sign in at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.accounts.roles import Role
from gateway.http.paging import cut
from gateway.http.path_ids import path_id
from gateway.http.problems import Problem
from gateway.pages.console.forms import read_filter, read_model
from gateway.people.changes import needed
from gateway.people.models import UserBody, UserChanges, UsersQuery

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.users import User

LIST = "/console/people"
UNKNOWN = "There is no such person."
FIELDS = ("full_name", "personnel_number", "email", "role")
NULLABLE = ("personnel_number", "email")
PAGE_SIZE = 50


class PeoplePages:
    """The pages of people."""

    def __init__(self, shell: Shell) -> None:
        self._people = shell.site.people

    async def list_(self, visit: Visit) -> web.Response:
        """List people."""
        query = read_filter(UsersQuery, visit.request)
        found = await self._people.list_(
            visit.company.id, search=query.q, active=query.active, after=query.cursor, limit=PAGE_SIZE + 1
        )
        page, last = cut(found, PAGE_SIZE)
        return visit.show("people", people=page, last=last, query=query)

    async def page(self, visit: Visit) -> web.Response:
        """Show one person."""
        user = await self.own(visit)
        return visit.show("person", user=user, can=partial(_can, visit, user))

    async def new_page(self, visit: Visit) -> web.Response:
        """Ask for a new person."""
        return visit.show("person_form", user=None, **_offered(visit, None))

    async def add(self, visit: Visit) -> web.Response:
        """Add a person."""
        try:
            body = read_model(UserBody, visit.form.given(*FIELDS))
            user = await self._people.add(
                visit.company.id,
                full_name=body.full_name,
                personnel_number=body.personnel_number,
                email=body.email,
                role=body.role.value,
                require=visit.require,
                **visit.by,
            )
        except Problem as problem:
            return visit.again("person_form", problem, user=None, **_offered(visit, None))
        return visit.go(f"{LIST}/{user.id}", "person-added")

    async def edit_page(self, visit: Visit) -> web.Response:
        """Ask for what is to be different."""
        user = await self.own(visit)
        return visit.show("person_form", user=user, **_offered(visit, user))

    async def edit(self, visit: Visit) -> web.Response:
        """Change a person: only what is different is asked of the service, as each field has its own permission."""
        user = await self.own(visit)
        try:
            changes = read_model(UserChanges, _differences(visit, user)).given()
            if changes:
                await self._change(visit, user, changes)
        except Problem as problem:
            return visit.again("person_form", problem, user=user, **_offered(visit, user))
        return visit.go(f"{LIST}/{user.id}", "person-changed")

    async def activity_page(self, visit: Visit) -> web.Response:
        """Ask before somebody is let in no longer, or again."""
        return visit.show("person_activity", user=await self.own(visit))

    async def deactivate(self, visit: Visit) -> web.Response:
        """Let somebody sign in no longer; open sessions end at once."""
        return await self._set_active(visit, active=False)

    async def activate(self, visit: Visit) -> web.Response:
        """Let somebody sign in again."""
        return await self._set_active(visit, active=True)

    async def own(self, visit: Visit) -> User:
        """Return the person of the path. Raises Problem `not-found` unless of this company."""
        return await self._people.get(path_id(visit.request, UNKNOWN), visit.company.id)

    async def _set_active(self, visit: Visit, *, active: bool) -> web.Response:
        user = await self.own(visit)
        try:
            await self._change(visit, user, {"active": active})
        except Problem as problem:
            return visit.again("person_activity", problem, user=user)
        return visit.go(f"{LIST}/{user.id}", "person-activated" if active else "person-deactivated")

    async def _change(self, visit: Visit, user: User, changes: dict[str, Any]) -> None:
        await self._people.change(user.id, changes, company_id=visit.company.id, require=visit.require, **visit.by)


def _differences(visit: Visit, user: User) -> dict[str, Any]:
    """What the form says otherwise than what is there; a field that was not offered says nothing."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        if name not in visit.form:
            continue
        typed = visit.form[name].strip()
        said = None if name in NULLABLE and not typed else typed
        if said != getattr(user, name):
            found[name] = said
    return found


def _can(visit: Visit, user: User | None, field: str) -> bool:
    """Tell whether a change of this field is to be offered."""
    if user is None:
        wanted = ["people.change", "role.change"] if field == "role" else ["people.change"]
    else:
        wanted = needed(user.role, frozenset({field}))
    permission = ["pin.set"] if field == "pin" else []
    return all(map(visit.may, (*wanted, *permission)))


def _offered(visit: Visit, user: User | None) -> dict[str, Any]:
    """What the form for a person offers."""
    roles = [role.value for role in Role] if _can(visit, user, "role") else []
    return {"can": partial(_can, visit, user), "roles": roles[::-1]}
