"""The main job at a wall terminal, end to end over real HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from storage import audit, devices, stamps

if TYPE_CHECKING:
    from tests.gateway.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


async def test_a_terminal_enrols_is_approved_and_an_employee_clocks_in_and_out(house: House) -> None:
    person = await house.person("0101")
    terminal = await house.pending_terminal()
    assert (await terminal.device()).body["state"] == "pending"
    assert (await terminal.sign_in("0101", person.pin)).problem == "device-pending"

    await house.approve(terminal)
    device = await terminal.device()
    assert device.body["state"] == "active"
    assert "enrolment_id" not in device.body
    assert device.body["company"] == {"name": "Rosenthal", "timezone": "Europe/Berlin", "locale": "de"}

    signed_in = await terminal.sign_in("0101", person.pin)
    assert signed_in.status == 200
    assert signed_in.body["employee"] == {"display_name": "Ada Winter"}
    assert signed_in.body["idle_timeout"] == 20
    assert signed_in.body["status"] == {"state": "out", "worked_today_seconds": 0, "actions": ["clock_in"]}

    clocked_in = await terminal.act("clock_in")
    assert clocked_in.status == 201
    assert clocked_in.body["status"]["state"] == "in"
    assert clocked_in.body["stamp"]["tier"] == "kiosk"
    assert clocked_in.body["stamp"]["device_id"] == terminal.device_id
    clocked_out = await terminal.act("clock_out")
    assert clocked_out.body["status"]["actions"] == ["clock_in"]

    async with house.gateway.administration.database.read() as connection:
        trail = await audit.list_(connection, house.company_id, limit=1000)
        recorded = await stamps.list_(connection, house.company_id, user_id=person.id)
    own = (f"device:{terminal.device_id}", f"user:{person.id}")
    names = [event.name for event in trail if own[0] in (event.subject, event.actor) or event.subject == own[1]]
    assert {"device.registered", "device.enrolment_started", "device.approved", "kiosk.login", "pin.set"} <= set(names)
    assert [stamp.action for stamp in reversed(recorded)] == ["clock_in", "clock_out"]
    assert [stamp.sequence for stamp in reversed(recorded)] == [1, 2]


async def test_a_stamp_id_sent_again_answers_the_first_result(house: House) -> None:
    person = await house.person("0102")
    terminal = await house.terminal()
    await terminal.sign_in("0102", person.pin)
    stamp_id = str(uuid.uuid4())
    first = await terminal.act("clock_in", stamp_id)
    again = await terminal.act("clock_in", stamp_id.upper())
    assert (first.status, again.status) == (201, 200)
    assert again.body["stamp"] == first.body["stamp"]


async def test_the_same_stamp_id_for_another_action_is_refused(house: House) -> None:
    person = await house.person("0103")
    terminal = await house.terminal()
    await terminal.sign_in("0103", person.pin)
    stamp_id = str(uuid.uuid4())
    await terminal.act("clock_in", stamp_id)
    reply = await terminal.act("clock_out", stamp_id)
    assert (reply.status, reply.problem) == (409, "stamp-id-reused")


async def test_an_action_that_is_not_valid_now_tells_what_is(house: House) -> None:
    person = await house.person("0104")
    terminal = await house.terminal()
    await terminal.sign_in("0104", person.pin)
    reply = await terminal.act("clock_out")
    assert (reply.status, reply.problem) == (409, "action-not-valid")
    assert reply.body["current_status"]["actions"] == ["clock_in"]


async def test_a_session_ends_ten_seconds_after_a_stamp_and_sixty_after_the_last_request(house: House) -> None:
    person = await house.person("0105")
    terminal = await house.terminal()
    await terminal.sign_in("0105", person.pin)
    house.clock.move(59)
    assert (await terminal.status()).status == 200
    house.clock.move(61)
    assert (await terminal.status()).problem == "session-expired"
    await terminal.sign_in("0105", person.pin)
    await terminal.act("clock_in")
    house.clock.move(9)
    assert (await terminal.status()).status == 200
    house.clock.move(2)
    assert (await terminal.status()).problem == "session-expired"


async def test_a_session_is_bound_to_its_terminal_and_a_new_login_ends_the_old(house: House) -> None:
    person = await house.person("0106")
    one, other = await house.terminal(), await house.terminal()
    await one.sign_in("0106", person.pin)
    other.token = one.token
    assert (await other.status()).problem == "session-expired"
    old = one.token
    await one.sign_in("0106", person.pin)
    new, one.token = one.token, old
    assert (await one.status()).problem == "session-expired"
    one.token = new
    assert (await one.status()).status == 200
    assert (await one.sign_out()).status == 204
    assert (await one.status()).problem == "session-expired"


async def test_failed_tries_are_told_at_the_next_sign_in(house: House) -> None:
    person = await house.person("0107")
    terminal, phone = await house.terminal(), house.phone()
    assert (await terminal.sign_in("0107", "112233")).problem == "login-failed"
    assert (await phone.sign_in("0107", "112233")).problem == "login-failed"
    assert (await terminal.sign_in("0107", person.pin)).body["failed_attempts"] == 2
    house.clock.move(1)
    assert (await terminal.sign_in("0107", person.pin)).body["failed_attempts"] == 0


async def test_an_employee_changes_their_pin_with_the_current_one(house: House) -> None:
    person = await house.person("0108")
    terminal = await house.terminal()
    await terminal.sign_in("0108", person.pin)
    faulty = await terminal.change_pin(person.pin, "111111")
    assert faulty.status == 400
    assert {error["field"] for error in faulty.body["errors"]} == {"new_pin"}
    assert (await terminal.change_pin("481516", "730291")).problem == "login-failed"
    assert (await terminal.change_pin(person.pin, "730291")).status == 204
    assert (await terminal.sign_in("0108", person.pin)).problem == "login-failed"
    assert (await terminal.sign_in("0108", "730291")).status == 200


async def test_guessing_the_current_pin_at_a_change_counts_towards_the_lock(house: House) -> None:
    person = await house.person("0109")
    terminal = await house.terminal()
    await terminal.sign_in("0109", person.pin)
    problems = [(await terminal.change_pin("481516", "730291")).problem for _ in range(7)]
    assert problems == ["login-failed"] * 5 + ["login-throttled"] * 2


async def test_a_heartbeat_is_noted(house: House) -> None:
    terminal = await house.terminal()
    assert (await terminal.heartbeat(offset_ms=-250)).status == 204
    async with house.gateway.administration.database.read() as connection:
        device = await devices.get(connection, terminal.device_id)
    assert device is not None
    assert device.clock_offset_ms == -250
    assert device.last_seen_at is not None


async def test_own_days_show_what_was_stamped(house: House) -> None:
    person = await house.person("0111")
    terminal = await house.terminal()
    await terminal.sign_in("0111", person.pin)
    await terminal.act("clock_in")
    days = (await terminal.days()).body["items"]
    assert len(days) == 7
    assert [stamp["action"] for stamp in days[-1]["stamps"]] == ["clock_in"]


async def test_every_answer_whose_key_could_be_read_carries_a_fresh_nonce(house: House) -> None:
    terminal = await house.terminal()
    refused = await terminal.status()
    assert refused.status == 401
    nonce = refused.headers["Replay-Nonce"]
    assert (await terminal.signed("GET", "/api/time/kiosk/device", nonce=nonce)).status == 200
