"""Who may register: the very first, whoever is invited, everybody, nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.app import REGISTRATIONS_PER_HOUR
from storage import invitations
from tests.gateway.accounts.conftest import open_empty
from tests.gateway.accounts.person import EMAIL, OTHER_PASSWORD, login, register, with_login
from tests.gateway.house import open_house

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.accounts.conftest import Hashes
    from tests.gateway.house import House

INVITED = "ivan@rosenthal.example"


async def invite(house: House, email: str = INVITED, role: str = "it") -> str:
    """Invite somebody and return the token of the link."""
    invited = await house.gateway.invitations.invite(house.company_id, email=email, role=role, actor="cli")
    return invited.link.rpartition("#invitation=")[2]


async def test_of_two_first_registrations_at_once_one_wins(both_empty: House) -> None:
    house = both_empty
    replies = await asyncio.gather(*(register(house, email=f"founder{at}@example.com") for at in range(6)))
    assert sorted(reply.status for reply in replies) == [201, 403, 403, 403, 403, 403]
    assert {reply.problem for reply in replies if reply.status == 403} == {"registration-closed"}
    (company,) = await house.gateway.administration.companies.list_()
    (owner,) = await house.gateway.administration.people.list_(company.id)
    assert owner.role == "owner"
    assert (await house.audit_names()).count("account.registered") == 1


async def test_the_founder_names_the_company_or_lends_it_the_own_name(tmp_path: Path) -> None:
    async with open_empty(tmp_path / "home", registration="open") as house:
        assert (await register(house, company_name="  Rosenthal   Bakery ")).status == 201
        assert (await register(house, email="ben@example.com", full_name="Ben Sommer")).status == 201
        names = [company.name for company in await house.gateway.administration.companies.list_()]
    assert names == ["Rosenthal Bakery", "Ben Sommer"]


async def test_later_ones_need_an_invitation_and_are_told_so_before_anything_is_hashed(
    house: House, hashes: Hashes
) -> None:
    await with_login(house)
    for email in (EMAIL, "nobody@example.com"):
        reply = await register(house, email=email)
        assert (reply.status, reply.problem) == (403, "registration-closed")
    assert hashes.computed == 0


async def test_open_lets_each_found_another_company_and_closed_lets_nobody(tmp_path: Path) -> None:
    async with open_house(tmp_path / "open", registration="open") as house:
        reply = await register(house)
        assert reply.status == 201
        assert reply.body["user"]["company_id"] != house.company_id
        again = await register(house)
        assert (again.status, again.body["errors"][0]["field"]) == (409, "email")
    async with open_empty(tmp_path / "closed", registration="closed") as house:
        assert (await register(house)).problem == "registration-closed"
        assert await house.gateway.administration.companies.list_() == []


async def test_an_invitation_names_company_and_role(house: House) -> None:
    token = await invite(house, role="it")
    reply = await register(house, email=INVITED.upper(), full_name="Ivan", invitation=token)
    assert reply.status == 201
    assert (reply.body["user"]["role"], reply.body["user"]["company_id"]) == ("it", house.company_id)
    assert (await login(house, INVITED)).status == 200
    assert "account.invited" in await house.audit_names()


async def test_an_invitation_is_good_once_also_at_once(both: House) -> None:
    house, token = both, await invite(both)
    replies = await asyncio.gather(*(register(house, email=INVITED, invitation=token) for _ in range(5)))
    assert [reply.status for reply in replies].count(201) == 1
    again = await register(house, email=INVITED, invitation=token)
    assert again.problem == "invitation-not-valid"


async def test_an_invitation_is_good_for_its_address_only_for_a_week_and_until_the_next(house: House) -> None:
    token = await invite(house)
    foreign = await register(house, email="eve@example.com", invitation=token)
    newer = await invite(house)
    replaced = await register(house, email=INVITED, invitation=token)
    house.clock.move(7 * 86400 + 1)
    late = await register(house, email=INVITED, invitation=newer)
    made_up = await register(house, email=INVITED, invitation="x" * 43)
    for reply in (foreign, replaced, late, made_up):
        assert (reply.status, reply.problem) == (400, "invitation-not-valid")
    assert all({**reply.body, "request_id": ""} == {**foreign.body, "request_id": ""} for reply in (replaced, late))


async def test_a_closed_gateway_still_takes_those_whom_the_owner_invites(tmp_path: Path) -> None:
    async with open_house(tmp_path / "data", registration="closed") as house:
        token = await invite(house)
        assert (await register(house, email=INVITED, invitation=token)).status == 201


async def test_only_the_hash_of_an_invitation_is_stored(house: House) -> None:
    token = await invite(house)
    async with house.gateway.administration.database.read() as connection:
        (row,) = await connection.execute(invitations.invitations.select())
    assert token not in str(row)
    assert len(row.token_hash) == 32


async def test_somebody_of_the_company_without_a_login_gets_one_by_invitation(house: House) -> None:
    site = house.gateway.administration
    known = await site.people.add(
        house.company_id, full_name="Ivan Iljin", personnel_number="7", email=INVITED, role="hr", actor="cli"
    )
    token = await invite(house, role="hr")
    reply = await register(house, email=INVITED, full_name="Somebody Else", invitation=token)
    assert reply.status == 201
    assert reply.body["user"] == {
        "id": known.id,
        "company_id": house.company_id,
        "full_name": "Ivan Iljin",
        "role": "hr",
        "active": True,
        "email": INVITED,
        "personnel_number": "7",
    }


async def test_nobody_registers_often_from_one_address(house: House) -> None:
    replies = [await register(house, email="x@example.com") for _ in range(REGISTRATIONS_PER_HOUR + 1)]
    assert [reply.status for reply in replies] == [403] * REGISTRATIONS_PER_HOUR + [429]
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 3600
    assert (await register(house, password=OTHER_PASSWORD)).status == 429
    house.clock.move(3601)
    assert (await register(house)).status == 403
