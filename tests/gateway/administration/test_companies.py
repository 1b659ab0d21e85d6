"""A company's settings, its invitations and its phone link, over HTTP."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from tests.gateway.administration.requests import send

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company, Estate


async def test_settings_are_read_and_changed(ours: Company) -> None:
    path = f"/api/companies/{ours.id}"
    before = (await ours.owner.call("GET", path)).body
    assert before.keys() == {
        *("id", "name", "timezone", "locale", "public_stamp_enabled", "kiosk_networks", "created_at"),
    }
    changes = {"name": "Rosenthal AG", "timezone": "Europe/Vienna", "locale": "en", "kiosk_networks": ["10.0.0.0/8"]}
    reply = await ours.owner.call("PATCH", path, changes)
    assert reply.body == {**before, **changes}
    assert (await ours.owner.call("GET", path)).body == reply.body
    assert (await ours.owner.call("PATCH", path, {})).body == reply.body


async def test_every_fault_of_the_settings_is_named_at_once(ours: Company) -> None:
    path = f"/api/companies/{ours.id}"
    faulty = {"name": " ", "timezone": "Mars/Base", "locale": "fr", "public_stamp_enabled": None, "link_hash": "x"}
    reply = await ours.owner.call("PATCH", path, {**faulty, "kiosk_networks": ["x", "::1", "10.0.3.7/8"]})
    assert {fault["field"] for fault in reply.body["errors"]} == {*faulty, "kiosk_networks.0", "kiosk_networks.2"}


async def test_switching_phone_stamping_off_reaches_the_phones(ours: Company) -> None:
    phone = ours.house.phone()
    assert (await phone.company()).status == 200
    await ours.owner.call("PATCH", f"/api/companies/{ours.id}", {"public_stamp_enabled": False})
    await ours.house.told()
    assert (await phone.company()).problem == "link-not-valid"


async def test_rotating_shows_the_link_this_once_and_the_old_poster_dies(ours: Company) -> None:
    path = f"/api/companies/{ours.id}/public-stamp"
    old = ours.house.phone()
    reply = await ours.it.call("POST", f"{path}/rotate")
    assert reply.status == 201
    assert reply.body["url"].endswith(f"/stamp#t={reply.body['token']}")
    await ours.house.told()
    assert (await old.company()).problem == "link-not-valid"
    ours.house.link = reply.body["token"]
    assert (await ours.house.phone().company()).status == 200
    state = await ours.hr.call("GET", path)
    assert state.body == {"enabled": True, "active": True, "created_at": reply.body["created_at"], "version": 2}
    for _ in range(2):
        assert (await ours.it.call("DELETE", path)).status == 204
    await ours.house.told()
    assert (await ours.house.phone().company()).problem == "link-not-valid"
    assert (await ours.hr.call("GET", path)).body == {"enabled": True, "active": False}


async def test_an_invitation_is_made_and_its_link_shown_to_nobody_but_by_mail(ours: Company) -> None:
    path = f"/api/companies/{ours.id}/invitations"
    reply = await ours.owner.call("POST", path, {"email": "Eva@Example.com", "role": "hr"})
    assert reply.status == 201
    assert (reply.body["email"], reply.body["role"]) == ("eva@example.com", "hr")
    assert re.search(r"[A-Za-z0-9_-]{43}", str(reply.body)) is None
    reply = await ours.owner.call("POST", path, {"email": ours.hr.user.email, "role": "it"})
    assert (reply.status, reply.body["errors"][0]["field"]) == (409, "role")
    reply = await ours.owner.call("POST", path, {"email": "x", "role": "boss", "name": "x"})
    assert {fault["field"] for fault in reply.body["errors"]} == {"email", "role", "name"}


async def test_open_invitations_are_listed_and_a_withdrawn_one_lets_nobody_in(ours: Company) -> None:
    path = f"/api/companies/{ours.id}/invitations"
    made = [
        await ours.house.gateway.invitations.invite(ours.id, email=address, role="hr", actor="cli")
        for address in ("eva@example.com", "ida@example.com")
    ]
    items = (await ours.owner.call("GET", path)).body["items"]
    assert [item["email"] for item in items] == ["ida@example.com", "eva@example.com"]
    assert re.search(r"[A-Za-z0-9_-]{43}", str(items)) is None
    one = made[0].invitation.id
    assert (await ours.owner.call("DELETE", f"{path}/{one}")).status == 204
    again = await ours.owner.call("DELETE", f"{path}/{one}")
    assert (again.status, again.problem) == (404, "not-found")
    assert [item["email"] for item in (await ours.owner.call("GET", path)).body["items"]] == ["ida@example.com"]
    body = {"email": "eva@example.com", "password": "correct horse battery", "full_name": "Eva"}
    token = made[0].link.partition("=")[2]
    joined = await send(ours.house, "POST", "/api/auth/register", {**body, "invitation": token})
    assert joined.problem == "invitation-not-valid"
    body |= {"email": "ida@example.com", "invitation": made[1].link.partition("=")[2]}
    assert (await send(ours.house, "POST", "/api/auth/register", body)).status == 201
    accepted = await ours.owner.call("DELETE", f"{path}/{made[1].invitation.id}")
    assert accepted.problem == "not-found"
    told = (await ours.owner.call("GET", "/api/audit?name=account.invitation_withdrawn")).body["items"]
    assert [event["subject"] for event in told] == [f"invitation:{one}"]


async def test_no_invitation_to_another_company_can_be_withdrawn(estate: Estate) -> None:
    theirs, owner = estate.theirs, estate.ours.owner
    made = await estate.house.gateway.invitations.invite(theirs.id, email="e@example.com", role="hr", actor="cli")
    for company in (estate.ours.id, theirs.id):
        reply = await owner.call("DELETE", f"/api/companies/{company}/invitations/{made.invitation.id}")
        assert reply.problem == "not-found"
    assert len((await theirs.owner.call("GET", f"/api/companies/{theirs.id}/invitations")).body["items"]) == 1


async def test_of_somebody_who_accepts_and_somebody_who_withdraws_one_succeeds(ours: Company) -> None:
    invited = await ours.house.gateway.invitations.invite(ours.id, email="e@example.com", role="hr", actor="cli")
    body = {"email": "e@example.com", "password": "correct horse battery", "full_name": "Eva"}
    path = f"/api/companies/{ours.id}/invitations/{invited.invitation.id}"
    accepted, withdrawn = await asyncio.gather(
        send(ours.house, "POST", "/api/auth/register", {**body, "invitation": invited.link.partition("=")[2]}),
        ours.owner.call("DELETE", path),
    )
    assert {accepted.status, withdrawn.status} in ({201, 404}, {403, 204}, {400, 204}, {404, 204}), (
        accepted,
        withdrawn,
    )
