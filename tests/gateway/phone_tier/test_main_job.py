"""The main job on a phone, end to end over HTTP: scan, sign in, stamp, and the ends of a session."""

from __future__ import annotations

import asyncio
import csv
import io
import secrets
import uuid
from typing import TYPE_CHECKING

from storage import audit
from tests.gateway.administration.requests import send
from tests.gateway.pages.console.visitor import visitor_as
from tests.gateway.signed_in import sign_in_as

if TYPE_CHECKING:
    import pytest

    from tests.gateway.house import House
    from tests.gateway.phone import Phone
    from tests.gateway.terminal import Terminal

WRONG = "481516"
NOT_TOKENS = ["", "x", "A" * 42, "A" * 44, "Bearer"]


async def test_an_employee_scans_signs_in_clocks_in_and_out_and_each_row_says_how(house: House) -> None:
    person, phone = await house.person("0101"), house.phone()
    assert (await phone.company()).body == {
        "company": {"name": "Rosenthal", "timezone": "Europe/Berlin", "locale": "de"}
    }
    signed_in = await phone.sign_in("0101", person.pin)
    assert signed_in.status == 200
    assert signed_in.body["expires_in"] == 120
    assert signed_in.body["employee"] == {"display_name": "Ada Winter"}
    assert signed_in.body["status"] == {"state": "out", "worked_today_seconds": 0, "actions": ["clock_in"]}
    assert signed_in.headers["Cache-Control"] == "no-store"

    clocked_in = await phone.act("clock_in")
    assert clocked_in.status == 201
    assert clocked_in.body["stamp"]["tier"] == "phone"
    assert "device_id" not in clocked_in.body["stamp"]
    assert (await phone.status()).body["state"] == "in"
    assert (await phone.act("clock_out")).status == 201
    assert [stamp["action"] for stamp in (await phone.days()).body["items"][-1]["stamps"]] == ["clock_in", "clock_out"]
    assert (await phone.sign_out()).status == 204
    assert (await phone.status()).problem == "session-expired"

    rows = await house.stamps()
    assert [(row.action, row.tier, row.device_id, row.link_version) for row in rows] == [
        ("clock_in", "phone", None, 1),
        ("clock_out", "phone", None, 1),
    ]
    assert "phone.login" in await house.audit_names()


async def test_a_stamp_after_a_rotation_names_the_new_poster_wherever_it_is_read(house: House) -> None:
    person, site = await house.person("0101"), house.gateway.administration
    first = house.phone()
    await first.sign_in("0101", person.pin)
    await first.act("clock_in")
    house.link = (await site.companies.rotate_link(house.company_id, actor="cli")).token
    await house.told()
    second, terminal = house.phone(), await house.terminal(label="Gate 1")
    await second.sign_in("0101", person.pin)
    await second.act("clock_out")
    await terminal.sign_in("0101", person.pin)
    await terminal.act("clock_in")
    assert [(row.tier, row.link_version) for row in await house.stamps()] == [
        ("phone", 1),
        ("phone", 2),
        ("kiosk", None),
    ]

    owner = await sign_in_as(house, "owner")
    listed = (await owner.call("GET", "/api/stamps")).body["items"]
    assert [(item["tier"], item.get("link_version")) for item in listed] == [
        ("kiosk", None),
        ("phone", 2),
        ("phone", 1),
    ]
    file = str((await send(house, "GET", "/api/stamps?format=csv", token=owner.token)).body)
    rows = csv.DictReader(io.StringIO(file.removeprefix("\ufeff"), newline=""), delimiter=";")
    assert [(row["Weg"], row["Aushang"], row["Terminal"]) for row in rows] == [
        ("Telefon", "1", ""),
        ("Telefon", "2", ""),
        ("Terminal", "", "Gate 1"),
    ]
    state = (await owner.call("GET", f"/api/companies/{house.company_id}/public-stamp")).body
    assert (state["active"], state["version"]) == (True, 2)
    async with site.database.read() as connection:
        logins = await audit.list_(connection, house.company_id, "phone.login")
    assert [event.detail for event in logins] == [{"tier": "phone", "link_version": version} for version in (2, 1)]
    words = (await (await visitor_as(house, "hr")).get("/console/stamps")).words
    assert "Phone Poster 2" in words
    assert "Phone Poster 1" in words


async def test_phones_are_off_until_a_company_opts_in_for_itself(house: House) -> None:
    companies = house.gateway.administration.companies
    other = await companies.add("Elsewhere", actor="cli")
    assert not other.public_stamp_enabled
    theirs = house.phone()
    theirs.link = (await companies.rotate_link(other.id, actor="cli")).token
    await house.told()
    assert (await theirs.company()).problem == "link-not-valid"
    assert (await house.phone().company()).status == 200
    await companies.update(other.id, {"public_stamp_enabled": True}, actor="cli")
    await house.told()
    assert (await theirs.company()).body["company"]["name"] == "Elsewhere"


async def test_a_stamp_id_sent_again_answers_the_first_result(house: House) -> None:
    person, phone = await house.person("0101"), house.phone()
    await phone.sign_in("0101", person.pin)
    stamp_id = str(uuid.uuid4())
    first, again = await phone.act("clock_in", stamp_id), await phone.act("clock_in", stamp_id)
    assert (first.status, again.status) == (201, 200)
    assert first.body["stamp"] == again.body["stamp"]
    assert (await phone.act("clock_out", stamp_id)).problem == "stamp-id-reused"


async def test_a_session_ends_120_seconds_after_sign_in_however_busy_it_is(house: House) -> None:
    person, phone = await house.person("0101"), house.phone()
    await phone.sign_in("0101", person.pin)
    for _ in range(3):
        house.clock.move(39)
        assert (await phone.status()).status == 200
        assert (await phone.days()).status == 200
    house.clock.move(4)
    assert (await phone.status()).problem == "session-expired"
    assert (await phone.act("clock_in")).problem == "session-expired"
    assert await house.stamps() == []


async def test_rotated_disabled_switched_off_and_invented_links_have_one_answer(house: House) -> None:
    person, companies = await house.person("0101"), house.gateway.administration.companies
    old, answers = house.phone(), []

    async def refused(phone: object) -> None:
        for reply in (await old.company(), await old.sign_in("0101", person.pin)):
            assert (reply.status, reply.problem) == (404, "link-not-valid")
            answers.append({name: value for name, value in reply.body.items() if name != "request_id"})

    link = await companies.rotate_link(house.company_id, actor="cli")
    await house.told()
    await refused(old)
    old.link = link.token
    assert (await old.company()).status == 200
    await companies.update(house.company_id, {"public_stamp_enabled": False}, actor="cli")
    await house.told()
    await refused(old)
    await companies.update(house.company_id, {"public_stamp_enabled": True}, actor="cli")
    await companies.disable_link(house.company_id, actor="cli")
    await house.told()
    await refused(old)
    old.link = secrets.token_urlsafe(32)
    await refused(old)
    assert all(answer == answers[0] for answer in answers)


async def test_open_sessions_end_at_once_when_the_trust_behind_them_ends(house: House) -> None:
    terminal, company_id = await house.terminal(), house.company_id
    companies, people = house.gateway.administration.companies, house.gateway.administration.people
    for number, change in enumerate(("deactivated", "reset", "switched off", "rotated", "disabled"), start=101):
        person, phone = await house.person(f"0{number}"), house.phone()
        assert (await phone.sign_in(f"0{number}", person.pin)).status == 200, change
        assert (await terminal.sign_in(f"0{number}", person.pin)).status == 200, change
        match change:
            case "deactivated":
                await people.set_active(person.id, False, actor="cli")
            case "reset":
                await people.set_pin(person.id, "730291", actor="cli")
            case "switched off":
                await companies.update(company_id, {"public_stamp_enabled": False}, actor="cli")
            case "rotated":
                house.link = (await companies.rotate_link(company_id, actor="cli")).token
            case "disabled":
                await companies.disable_link(company_id, actor="cli")
        await house.told()
        assert (await phone.status()).problem == "session-expired", change
        assert (await phone.act("clock_in")).problem == "session-expired", change
        at_the_kiosk = (await terminal.act("clock_in")).status
        assert at_the_kiosk == (401 if change in ("deactivated", "reset") else 201), change
        if change == "switched off":
            await companies.update(company_id, {"public_stamp_enabled": True}, actor="cli")
            await house.told()


async def test_a_session_opened_while_the_person_was_being_deactivated_is_over_too(house: House) -> None:
    """The session begins at the trust change seen before the PIN was checked."""
    person, phone = await house.person("0101"), house.phone()
    people = house.gateway.administration.people
    replies = await asyncio.gather(phone.sign_in("0101", person.pin), people.set_active(person.id, False, actor="cli"))
    await house.told()
    assert replies[0].status in (200, 401)
    phone.token = phone.token or "A" * 43
    assert (await phone.act("clock_in")).problem == "session-expired"


async def test_recording_asks_again_whether_the_person_is_active(house: House) -> None:
    """Even before this process has read the change: the stamp's own transaction sees it."""
    person, phone = await house.person("0101"), house.phone()
    await phone.sign_in("0101", person.pin)
    await house.gateway.feed.stop()
    await house.gateway.administration.people.set_active(person.id, False, actor="cli")
    assert (await phone.act("clock_in")).problem == "session-expired"
    assert await house.stamps() == []


async def test_tokens_travel_in_the_authorization_field_only(house: House) -> None:
    person, phone = await house.person("0101"), house.phone()
    await phone.sign_in("0101", person.pin)
    token, url = phone.token, f"{house.url}/api/time/public/status"
    for extra in ({"params": {"session_token": token, "t": token}}, {"cookies": {"session_token": token or ""}}):
        async with house.http.get(url, **extra) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="stampgate"'
    fields = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    async with house.http.get(url, headers=fields) as answer:
        assert answer.status in (400, 401)
    for wrong in NOT_TOKENS:
        phone.token = wrong
        assert (await phone.status()).problem == "session-expired"


async def test_a_token_of_one_tier_opens_nothing_on_the_other(house: House) -> None:
    person, phone, terminal = await house.person("0101"), house.phone(), await house.terminal()
    await phone.sign_in("0101", person.pin)
    await terminal.sign_in("0101", person.pin)
    phone.token, terminal.token = terminal.token, phone.token
    assert (await phone.status()).problem == "session-expired"
    assert (await terminal.status()).problem == "session-expired"


async def test_the_next_sign_in_tells_how_many_failed_since_the_last_one_on_either_tier(any_house: House) -> None:
    house = any_house
    person, phone, terminal = await house.person("0101"), house.phone(), await house.terminal()

    async def told(door: Phone | Terminal) -> int:
        reply = await door.sign_in("0101", person.pin)
        assert reply.status == 200
        return int(reply.body["failed_attempts"])

    assert await told(phone) == 0
    for door in (phone, phone, terminal):
        assert (await door.sign_in("0101", WRONG)).problem == "login-failed"
    assert (await phone.sign_in("0102", WRONG)).problem == "login-failed", "somebody else's number"
    assert await told(terminal) == 3
    assert await told(phone) == 0
    # Tries while the number is locked are not checked, so they are not counted either.
    for _ in range(5):
        assert (await phone.sign_in("0101", WRONG)).problem == "login-failed"
    for _ in range(4):
        assert (await phone.sign_in("0101", WRONG)).problem == "login-throttled"
    assert await told(terminal) == 5
    house.clock.move(15 * 60 + 1)
    assert await told(phone) == 0


async def test_signing_in_with_the_e_mail_address_tells_of_no_wrong_pins_and_forgets_none(house: House) -> None:
    visitor = await visitor_as(house, "hr")
    people = house.gateway.administration.people
    (user,) = [one for one in await people.list_(house.company_id) if one.email == "hr@rosenthal.example"]
    await people.change(user.id, {"personnel_number": "0101"}, actor="cli")
    await people.set_pin(user.id, "907311", actor="cli")
    await house.told()
    phone = house.phone()
    await phone.sign_in("0101", WRONG)
    house.clock.move(1)
    assert (await visitor.sign_in("hr@rosenthal.example")).status == 303
    assert (await phone.sign_in("0101", "907311")).body["failed_attempts"] == 1


async def test_a_try_that_fails_while_the_right_pin_is_hashed_is_told_the_next_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, phone, other = await house.person("0101"), house.phone(), await house.terminal()
    hashing = house.gateway.pin_login._hashing["phone"]
    run = hashing.run

    async def meanwhile(function: object, *arguments: object) -> object:
        monkeypatch.setattr(hashing, "run", run)
        assert (await other.sign_in("0101", WRONG)).problem == "login-failed"
        return await run(function, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(hashing, "run", meanwhile)
    assert (await phone.sign_in("0101", person.pin)).body["failed_attempts"] == 0
    assert (await phone.sign_in("0101", person.pin)).body["failed_attempts"] == 1
