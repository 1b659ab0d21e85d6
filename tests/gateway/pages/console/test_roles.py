"""What a role may not do is neither offered nor done: each page against each role."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.accounts.roles import Role, allows
from gateway.application import all_routes
from tests.gateway.pages.console.visitor import an_address, visitor_as

if TYPE_CHECKING:
    from tests.gateway.house import House

EVENTS = 4
"""Of the audit trail, looked at as each role: one page shows them all."""
SOMEBODY = "0190b0e0-6f5a-7000-8000-000000000000"
ENDS = ("/console/sign-out", "/console/account/sessions/end-others")


async def test_each_page_asks_the_permission_that_its_route_names(house: House) -> None:
    visitors = {role: await visitor_as(house, role) for role in Role}
    for route in all_routes(house.gateway):
        if route.access != "console" or route.path in ENDS:
            continue
        assert route.permission is not None
        path = an_address(route)
        assert allows(Role.OWNER, route.permission)  # asked therefore only where nobody else may
        others = [role for role in Role if role is not Role.OWNER and allows(role, route.permission)]
        for role, visitor in visitors.items():
            if role is Role.OWNER and others:
                continue
            shown = await (visitor.get(path) if route.method == "GET" else visitor.post(path))
            if not allows(role, route.permission):
                assert shown.status == 403, (role, route.method, path)
                assert "You may not do this." in shown.words, (role, route.method, path)
            else:
                assert shown.status != 403, (role, route.method, path, shown.words)
                assert shown.status < 500, (role, route.method, path)


async def test_nothing_is_offered_that_is_then_refused(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    pending = await house.pending_terminal(label="Waiting")
    typed = ["/console", f"/console/people/{person.id}", f"/console/terminals/{terminal.device_id}"]
    typed.append(f"/console/terminals/{pending.device_id}")
    for role in Role:
        visitor = await visitor_as(house, role)
        seen: set[str] = set()
        events = 0
        todo = list(typed)
        while todo:
            path = todo.pop()
            is_event = re.fullmatch(r"/console/audit/[0-9a-f-]{36}", path) is not None
            if path in seen or (is_event and events == EVENTS):
                continue
            events += is_event
            seen.add(path)
            shown = await visitor.get(path)
            if shown.status == 303:
                todo.append(shown.location)
                continue
            if path in typed and shown.status == 403:
                continue  # an address that nothing led to
            assert shown.status == 200, (role, path, shown.words)
            if shown.headers["Content-Type"].startswith("text/html"):
                links = re.findall(r'<a[^>]* href="(/console[^"]*)"', shown.text)
                todo += [link.replace("&amp;", "&") for link in links if "lang=" not in link]
        assert len(seen) > 5, role


async def test_hr_is_not_offered_what_only_the_owner_may_do_with_staff(house: House) -> None:
    hr, owner = await visitor_as(house, "hr"), await visitor_as(house, "owner")
    site = house.gateway.administration
    people = {user.role: user for user in await site.people.list_(house.company_id)}
    of_the_owner = f"/console/people/{people['owner'].id}"
    assert "Deactivate" not in (await hr.get(of_the_owner)).words
    assert (await hr.post(f"{of_the_owner}/edit", {"full_name": "Somebody Else"})).status == 403
    assert (await hr.post(f"{of_the_owner}/deactivate")).status == 403
    assert 'name="role"' not in (await hr.get("/console/people/new")).text
    sly = await hr.post("/console/people/new", {"full_name": "Sly", "email": "sly@rosenthal.example", "role": "owner"})
    assert sly.status == 403
    assert 'name="role"' in (await owner.get("/console/people/new")).text


async def test_an_employee_sees_the_own_stamps_and_nobody_elses(house: House) -> None:
    other, terminal = await house.person("0101", name="Ada Winter"), await house.terminal()
    await terminal.sign_in("0101", other.pin)
    await terminal.act("clock_in")
    visitor = await visitor_as(house, "employee")
    assert (await visitor.get("/console")).location == "/console/stamps"
    for path in ("/console/stamps", f"/console/stamps?user={other.id}", "/console/stamps?q=Ada"):
        shown = await visitor.get(path)
        assert shown.status == 200
        assert "Ada Winter" not in shown.words
        assert "Clock in" not in shown.words
    assert b"Ada" not in (await visitor.get("/console/stamps/export?q=Ada")).raw


async def test_people_and_terminals_of_another_company_do_not_exist(house: House) -> None:
    site = house.gateway.administration
    elsewhere = await site.companies.add("Elsewhere", actor="cli")
    person = await site.people.add(elsewhere.id, full_name="Someone", personnel_number="7", actor="cli")
    device = (await site.devices.register(elsewhere.id, "Door", actor="cli")).device
    event = (await site.audit.list_(elsewhere.id)).events[0]
    visitor = await visitor_as(house, "owner")
    for path in (
        f"/console/people/{person.id}",
        f"/console/people/{person.id}/edit",
        f"/console/people/{person.id}/pin",
        f"/console/terminals/{device.id}",
        f"/console/terminals/{device.id}/code",
        f"/console/audit/{event.id}",
        f"/console/stamps?user={person.id}",
        f"/console/stamps/correct?user={person.id}",
    ):
        assert (await visitor.get(path)).status == 404, path
    for path in (
        f"/console/people/{person.id}/edit",
        f"/console/people/{person.id}/pin",
        f"/console/people/{person.id}/deactivate",
        f"/console/terminals/{device.id}/revoke",
        f"/console/terminals/{device.id}/code",
    ):
        assert (await visitor.post(path)).status == 404, path
