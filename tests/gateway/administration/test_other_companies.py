"""Whatever is another company's does not exist: the same answer as for an id that nobody has, for every role."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from gateway.accounts.roles import Role
from storage.schema import metadata
from tests.gateway.administration.examples import EXAMPLES
from tests.gateway.administration.requests import filled, send

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company, Estate
    from tests.gateway.terminal import Reply

UNKNOWN = "0190b0e0-6f5a-7000-8000-000000000000"
BODIES: dict[str, Any] = {
    "POST /api/users/{id}/kiosk-pin": {"pin": "730291"},
    "POST /api/devices/{id}/approve": {"thumbprint": "x" * 43},
    "POST /api/companies/{id}/public-stamp/poster": {"token": "x" * 43, "format": "svg"},
    "POST /api/companies/{id}/invitations": {"email": "eva@example.com", "role": "hr"},
}
CHANGES: dict[str, Any] = {"users": {"full_name": "Eva"}, "devices": {"label": "x"}, "companies": {"name": "x"}}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def estate(shared_estate: Estate) -> Estate:
    return shared_estate


def foreign_id(theirs: Company, path: str) -> str:
    kind = path.split("/")[2]
    return {
        "companies": theirs.id,
        "users": theirs.employee,
        "devices": theirs.device,
        "lockouts": theirs.lockout,
    }[kind]


def body_of(name: str) -> Any:
    method, _, path = name.partition(" ")
    if method == "PATCH":
        return CHANGES[path.split("/")[2]]
    return BODIES.get(name)


def without_request_id(reply: Reply) -> tuple[int, Any]:
    return reply.status, {key: value for key, value in reply.body.items() if key != "request_id"}


async def everything_of(company: Company) -> list[object]:
    """Every row of the database that belongs to a company, but for the audit trail and the sessions' last use."""
    found: list[object] = []
    async with company.site.database.read() as connection:
        for table in metadata.sorted_tables:
            if "company_id" in table.c and table.name != "audit_events":
                rows = await connection.execute(table.select().where(table.c.company_id == company.id))
                found += sorted(map(repr, rows))
        companies = metadata.tables["companies"]
        found += map(repr, await connection.execute(companies.select().where(companies.c.id == company.id)))
    return found


async def test_no_id_of_another_company_is_known_at_any_route(estate: Estate) -> None:
    before = await everything_of(estate.theirs)
    assert len(before) >= 12
    for name, role in itertools.product(EXAMPLES, Role):
        method, _, path = name.partition(" ")
        if "{id}" not in path:
            continue
        token = estate.ours.roles[role].token
        foreign, unknown = [
            await send(estate.house, method, filled(path, found), body_of(name), token=token)
            for found in (foreign_id(estate.theirs, path), UNKNOWN)
        ]
        assert foreign.status in (403, 404), (name, role)
        assert foreign.problem in ("not-found", "not-allowed"), (name, role)
        assert without_request_id(foreign) == without_request_id(unknown), (name, role)
        assert role != "owner" or foreign.status == 404, name
    assert await everything_of(estate.theirs) == before


async def test_nothing_of_another_company_is_in_any_list(estate: Estate) -> None:
    theirs = estate.theirs
    secret = {theirs.id, theirs.employee, theirs.device, theirs.lockout, theirs.stamp, theirs.correction}
    secret |= {person.user.id for person in theirs.roles.values()}
    for name in EXAMPLES:
        method, _, path = name.partition(" ")
        if method == "GET" and "{id}" not in path:
            reply = await send(estate.house, "GET", path, token=estate.ours.owner.token)
            assert reply.status == 200
            assert reply.body["items"], name
            assert not [found for found in secret if found in str(reply.body)], name


async def test_no_list_can_be_asked_for_somebody_of_another_company(estate: Estate) -> None:
    hr, theirs = estate.ours.hr, estate.theirs
    for query in ("", "&format=csv"):
        foreign, unknown = [
            await hr.call("GET", f"/api/stamps?user={found}{query}") for found in (theirs.employee, UNKNOWN)
        ]
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(unknown)


async def test_a_cursor_of_another_company_tells_nothing(estate: Estate) -> None:
    hr, theirs = estate.ours.hr, estate.theirs
    for path in ("/api/users", "/api/presence"):
        foreign, unknown = [await hr.call("GET", f"{path}?cursor={found}") for found in (theirs.employee, UNKNOWN)]
        assert foreign.body == unknown.body == {"items": []}


async def test_no_correction_reaches_into_another_company(estate: Estate) -> None:
    hr, ours, theirs = estate.ours.hr, estate.ours, estate.theirs
    wish = {"action": "clock_out", "at": "2026-01-31T08:00:00Z", "reason": "x"}
    before = await everything_of(theirs)
    foreign, unknown = [
        await hr.call("POST", "/api/stamps", {**wish, "user_id": found}) for found in (theirs.employee, UNKNOWN)
    ]
    assert foreign.status == 404
    assert without_request_id(foreign) == without_request_id(unknown)
    replies = [
        await hr.call("POST", "/api/stamps", {**wish, "user_id": ours.employee, "replaces": found})
        for found in (theirs.stamp, theirs.correction, UNKNOWN)
    ]
    assert replies[0].body["errors"] == [{"field": "replaces", "message": "is no stamp of this person"}]
    assert without_request_id(replies[0]) == without_request_id(replies[1]) == without_request_id(replies[2])
    assert await everything_of(theirs) == before


async def test_a_personnel_number_may_be_used_in_both(estate: Estate) -> None:
    for company in (estate.ours, estate.theirs):
        body = {"full_name": "Ada", "personnel_number": "0007"}
        assert (await company.hr.call("POST", "/api/users", body)).status == 201


async def test_what_is_no_id_is_not_found_and_no_error(estate: Estate) -> None:
    faulty = ("x", "..", "%25", "null", UNKNOWN.upper(), UNKNOWN + "0", "a" * 3000, "%C3%A9")
    for name, found in itertools.product(EXAMPLES, faulty):
        method, _, path = name.partition(" ")
        if "{id}" in path:
            target = filled(path, found)
            reply = await send(estate.house, method, target, body_of(name), token=estate.ours.owner.token)
            assert reply.status in (400, 404, 405), (name, found, reply)
            assert reply.problem, (name, found)
