"""People over HTTP: lists, the rules of role and e-mail, and the owner who stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.accounts.roles import CONFIRMED_FOR_SECONDS
from gateway.pin_login.service import YEARLY_CAP
from storage import lockouts
from tests.gateway.signed_in import sign_in_as

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company
    from tests.gateway.signed_in import SignedInPerson
    from tests.gateway.terminal import Reply


async def change(who: SignedInPerson, user_id: str, **fields: Any) -> Reply:
    return await who.call("PATCH", f"/api/users/{user_id}", fields)


def faults(reply: Reply) -> dict[str, str]:
    assert reply.status == 400, reply
    return {fault["field"]: fault["message"] for fault in reply.body["errors"]}


async def test_a_person_is_added_read_and_changed(ours: Company) -> None:
    body = {"full_name": "  Eva   Neu ", "personnel_number": "0042", "email": "Eva@Example.com"}
    made = await ours.hr.call("POST", "/api/users", body)
    assert made.status == 201
    wanted = {
        "id": made.body["id"],
        "company_id": ours.id,
        "full_name": "Eva Neu",
        "personnel_number": "0042",
        "email": "eva@example.com",
        "role": "employee",
        "active": True,
    }
    assert made.body == wanted
    assert (await ours.hr.call("GET", f"/api/users/{made.body['id']}")).body == wanted
    changed = await change(ours.hr, made.body["id"], personnel_number="0043", email=None, active=False)
    del wanted["email"]
    assert changed.body == {**wanted, "personnel_number": "0043", "active": False}
    assert (await ours.hr.call("GET", f"/api/users/{made.body['id']}")).body == changed.body


async def test_every_fault_of_a_person_is_named_at_once(ours: Company) -> None:
    body = {"full_name": " ", "personnel_number": "12a", "email": "nobody", "role": "boss", "active": 1, "pin": "1"}
    assert faults(await ours.owner.call("POST", "/api/users", body)).keys() == body.keys()
    assert faults(await ours.owner.call("POST", "/api/users", {"full_name": "Eva"})).keys() == {"personnel_number"}
    body = {"full_name": "Eva", "role": "hr"}
    assert faults(await ours.owner.call("POST", "/api/users", body)).keys() == {"personnel_number", "email"}
    for field in ("full_name", "role", "active"):
        assert faults(await change(ours.owner, ours.employee, **{field: None})).keys() == {field}
    assert faults(await change(ours.hr, ours.employee, personnel_number=None)).keys() == {"personnel_number"}


async def test_a_number_or_an_address_that_is_taken_says_which(ours: Company) -> None:
    await ours.add(personnel_number="0042", email="eva@example.com")
    for field, value in (("personnel_number", "0042"), ("email", "EVA@example.com")):
        reply = await change(ours.hr, ours.employee, **{field: value})
        assert (reply.status, reply.body["errors"][0]["field"]) == (409, field)


async def test_people_are_listed_by_name_page_by_page_and_searched(ours: Company) -> None:
    for number in range(7):
        await ours.add(full_name=f"Zoe {number}", personnel_number=f"9977{number}")
    seen: list[str] = []
    cursor = ""
    for _ in range(20):
        reply = await ours.hr.call("GET", f"/api/users?limit=3{cursor}")
        seen += [user["full_name"] for user in reply.body["items"]]
        if "next_cursor" not in reply.body:
            break
        cursor = f"&cursor={reply.body['next_cursor']}"
    assert seen == sorted(seen)
    assert len(seen) == 12
    reply = await ours.hr.call("GET", "/api/users?q=zoe%206")
    assert [user["full_name"] for user in reply.body["items"]] == ["Zoe 6"]
    assert len((await ours.hr.call("GET", "/api/users?q=9977")).body["items"]) == 7
    assert (await ours.hr.call("GET", "/api/users?q=%25")).body["items"] == []
    await change(ours.hr, ours.employee, active=False)
    inactive = await ours.hr.call("GET", "/api/users?active=false")
    assert [user["id"] for user in inactive.body["items"]] == [ours.employee]
    assert len((await ours.hr.call("GET", "/api/users?active=true")).body["items"]) == 11
    reply = await ours.hr.call("GET", "/api/users?limit=0&cursor=x&colour=red&active=maybe")
    assert faults(reply).keys() == {"limit", "cursor", "colour", "active"}


async def test_hr_never_edits_owner_or_it_and_only_the_data_of_colleagues(ours: Company) -> None:
    colleague = await sign_in_as(ours.house, "hr")
    for who in (ours.owner, ours.it):
        for fields in ({"full_name": "X"}, {"personnel_number": "1"}, {"email": "x@example.com"}, {"active": False}):
            reply = await change(ours.hr, who.user.id, **fields)
            assert (reply.status, reply.problem) == (403, "not-allowed"), fields
        reply = await ours.hr.call("POST", f"/api/users/{who.user.id}/kiosk-pin", {})
        assert (reply.status, reply.problem) == (403, "not-allowed")
    for fields in ({"email": "x@example.com"}, {"active": False}):
        assert (await change(ours.hr, colleague.user.id, **fields)).problem == "not-allowed"
    assert (await change(ours.hr, colleague.user.id, full_name="Hanna Rot", personnel_number="5")).status == 200
    assert (await change(ours.hr, ours.employee, email="x@example.com")).status == 200


async def test_only_the_owner_gives_roles_and_only_after_a_fresh_password(ours: Company) -> None:
    user = await ours.add(email="eva@example.com")
    body = {"full_name": "Eva", "email": "b@example.com", "role": "it"}
    for reply in (await change(ours.hr, user.id, role="hr"), await ours.hr.call("POST", "/api/users", body)):
        assert (reply.status, reply.problem) == (403, "not-allowed")
    assert (await change(ours.hr, user.id, role="employee")).status == 200, "what stays as it is needs nothing"
    ours.house.clock.move(CONFIRMED_FOR_SECONDS + 5)
    for reply in (await change(ours.owner, user.id, role="hr"), await ours.owner.call("POST", "/api/users", body)):
        assert (reply.status, reply.problem) == (403, "confirmation-required")
    assert (await change(ours.owner, ours.hr.user.id, email="new@example.com")).problem == "confirmation-required"
    assert (await change(ours.owner, user.id, full_name="Eva Alt")).status == 200
    owner = await sign_in_as(ours.house, "owner")
    assert (await change(owner, user.id, role="hr")).body["role"] == "hr"
    assert (await owner.call("POST", "/api/users", body)).body["role"] == "it"
    assert (await change(owner, user.id, email=None)).body["errors"][0]["field"] == "email"


async def test_a_role_that_was_taken_away_is_gone_with_the_next_request(ours: Company) -> None:
    assert (await change(ours.owner, ours.hr.user.id, role="employee")).status == 200
    assert (await ours.hr.call("GET", "/api/users")).problem == "not-allowed"
    assert (await change(ours.owner, ours.it.user.id, active=False)).status == 200
    assert (await ours.it.call("GET", "/api/devices")).problem == "not-signed-in"


async def test_the_last_active_owner_stays(ours: Company) -> None:
    for fields in ({"role": "it"}, {"active": False}):
        reply = await change(ours.owner, ours.owner.user.id, **fields)
        assert (reply.status, reply.problem) == (409, "conflict")
        assert "last active owner" in reply.body["detail"]
    assert faults(await change(ours.owner, ours.owner.user.id, email=None)).keys() == {"personnel_number", "email"}
    assert (await ours.owner.call("GET", f"/api/users/{ours.owner.user.id}")).body["role"] == "owner"


async def test_of_two_owners_who_end_each_other_at_once_one_stays(both: Company) -> None:
    other = await sign_in_as(both.house, "owner")
    ends: list[dict[str, Any]] = [{"role": "employee"}, {"active": False}]
    for fields in ends * 3:
        replies = await asyncio.gather(
            change(both.owner, other.user.id, **fields), change(other, both.owner.user.id, **fields)
        )
        owners = (await both.site.people.list_(both.id), [reply.status for reply in replies])
        ruling = [user for user in owners[0] if user.role == "owner" and user.active]
        assert len(ruling) == 1, (fields, owners)
        for ended in {both.owner.user.id, other.user.id} - {ruling[0].id}:
            await both.site.people.change(ended, {"role": "owner", "active": True}, actor="cli")


async def test_each_change_is_in_the_audit_trail_with_who_made_it(ours: Company) -> None:
    await change(ours.hr, ours.employee, full_name="Ada Sommer", active=False)
    reply = await ours.owner.call("GET", "/api/audit?name=user.changed")
    event = reply.body["items"][0]
    assert event["actor"] == f"user:{ours.hr.user.id}"
    assert event["subject"] == f"user:{ours.employee}"
    assert event["detail"] == {"active": False, "changed": ["full_name"]}


async def set_pin(who: SignedInPerson, user_id: str, **fields: Any) -> Reply:
    return await who.call("POST", f"/api/users/{user_id}/kiosk-pin", fields or None)


async def test_hr_sets_a_pin_made_or_chosen_and_it_works(ours: Company) -> None:
    user = await ours.add(personnel_number="0042")
    terminal = await ours.house.terminal()
    made = await set_pin(ours.hr, user.id)
    assert made.status == 200
    assert len(made.body["pin"]) >= 6
    await ours.house.told()
    assert (await terminal.sign_in("0042", made.body["pin"])).status == 200
    chosen = await set_pin(ours.hr, user.id, pin="730291")
    assert chosen.body == {}
    assert faults(await set_pin(ours.hr, user.id, pin="123456")).keys() == {"pin"}
    without = await ours.add(personnel_number=None, email="x@example.com")
    assert (await set_pin(ours.hr, without.id)).problem == "conflict"


async def test_ones_own_pin_needs_the_password_or_a_fresh_entry_of_it(ours: Company) -> None:
    person = ours.somebody
    await change(ours.hr, person.user.id, personnel_number="0099")
    await ours.site.accounts.set_password(person.user.id, "correct horse battery", actor="cli")
    await ours.renew()
    assert (await set_pin(person, person.user.id, pin="730291")).status == 200
    ours.house.clock.move(CONFIRMED_FOR_SECONDS + 5)
    assert (await set_pin(person, person.user.id, pin="730292")).problem == "confirmation-required"
    wrong = await set_pin(person, person.user.id, pin="730292", current_password="wrong horse battery")
    assert (wrong.status, wrong.problem) == (401, "login-failed")
    right = await set_pin(person, person.user.id, pin="730292", current_password="correct horse battery")
    assert right.status == 200
    assert (await set_pin(person, ours.employee)).problem == "not-allowed"
    assert (await set_pin(person, "0190b0e0-6f5a-7000-8000-000000000000")).problem == "not-allowed"


async def test_guessing_the_password_at_ones_own_pin_counts_towards_its_lock(ours: Company) -> None:
    person = ours.somebody
    await ours.site.accounts.set_password(person.user.id, "correct horse battery", actor="cli")
    await ours.renew()
    replies = [await set_pin(person, person.user.id, current_password=f"wrong horse {number}") for number in range(7)]
    assert [reply.status for reply in replies] == [401] * 5 + [429] * 2


async def test_only_hr_forgets_wrong_tries_by_a_new_pin(ours: Company) -> None:
    person = ours.somebody
    await change(ours.hr, person.user.id, personnel_number="0099")
    await set_pin(ours.hr, person.user.id, pin="730291")
    await ours.house.told()
    terminal = await ours.house.terminal()
    for _ in range(3):
        await terminal.sign_in("0099", "000000")

    async def failures() -> int:
        async with ours.site.database.read() as connection:
            rows = await connection.execute(lockouts.pin_failures.select())
            return len(rows.all())

    assert await failures() == 3 < YEARLY_CAP["kiosk"]
    assert (await set_pin(person, person.user.id, pin="730292")).status == 200
    assert await failures() == 3
    assert (await set_pin(ours.hr, person.user.id, pin="730293")).status == 200
    assert await failures() == 0
