"""The lockout policy as people and attackers meet it: over HTTP, on both tiers, with a clock that is moved."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gateway.pin_login.subjects import number_subject
from storage.ephemeral.pin_guard import Attempt, PinGuard
from tests.gateway.crowd import hire

if TYPE_CHECKING:
    from tests.gateway.house import House
    from tests.gateway.phone import Phone
    from tests.gateway.pin_login.conftest import Hashes
    from tests.gateway.terminal import Reply, Terminal

WRONG = "481516"
MINUTE = 60.0
HOUR = 3600.0


def problems(replies: list[Reply]) -> list[str]:
    return [reply.problem for reply in replies]


async def wrongly(door: Terminal | Phone, number: str, times: int) -> list[Reply]:
    return [await door.sign_in(number, WRONG) for _ in range(times)]


@pytest.mark.parametrize("tier", ["kiosk", "phone"])
async def test_of_60_concurrent_wrong_pins_at_a_limit_of_5_exactly_5_are_hashed(
    any_house: House, hashes: Hashes, tier: str
) -> None:
    person = await any_house.person("0101")
    door = await any_house.terminal() if tier == "kiosk" else any_house.phone()
    replies = await asyncio.gather(*(door.sign_in("0101", WRONG) for _ in range(60)))
    assert hashes.computed == 5
    assert Counter(problems(replies)) == {"login-failed": 5, "login-throttled": 55}
    assert (await door.sign_in("0101", person.pin)).problem == "login-throttled"
    assert hashes.computed == 5
    names = Counter(await any_house.audit_names())
    assert (names["login.failed"], names["pin.locked"]) == (5, 1)


async def test_of_60_concurrent_guesses_at_a_number_nobody_has_5_are_hashed_too(house: House, hashes: Hashes) -> None:
    terminal = await house.terminal()
    replies = await asyncio.gather(*(terminal.sign_in("999999", WRONG) for _ in range(60)))
    assert hashes.computed == 5
    assert Counter(problems(replies)) == {"login-failed": 5, "login-throttled": 55}


async def test_forty_people_who_sign_in_rightly_at_once_are_never_slowed(house: House) -> None:
    numbers = [f"{number:04}" for number in range(40)]
    await hire(house.gateway.administration, house.company_id, numbers, "907311")
    replies = await asyncio.gather(*(house.phone().sign_in(number, "907311") for number in numbers))
    assert {reply.status for reply in replies} == {200}


async def test_a_lock_on_the_phone_tier_leaves_the_kiosk_open(house: House) -> None:
    person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
    await wrongly(phone, "0101", 5)
    locked = await phone.sign_in("0101", person.pin)
    assert (locked.status, locked.problem) == (429, "login-throttled")
    assert int(locked.headers["Retry-After"]) > 14 * 60
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    assert (await phone.sign_in("0101", person.pin)).problem == "login-throttled"


async def test_phones_that_fill_their_queue_of_hashes_take_no_terminals_turn(house: House) -> None:
    person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
    of_phones, release = house.gateway.pin_login._hashing["phone"], threading.Event()
    jobs = [asyncio.create_task(of_phones.run(release.wait)) for _ in range(of_phones._capacity)]
    await asyncio.sleep(0)
    assert (await phone.sign_in("0101", person.pin)).problem == "busy"
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    release.set()
    await asyncio.gather(*jobs)
    assert (await phone.sign_in("0101", person.pin)).status == 200


async def test_a_lock_on_the_kiosk_tier_leaves_the_phone_open(house: House) -> None:
    person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
    await wrongly(terminal, "0101", 5)
    assert (await terminal.sign_in("0101", person.pin)).problem == "login-throttled"
    assert (await phone.sign_in("0101", person.pin)).status == 200


@pytest.mark.parametrize(("tier", "steps"), [("kiosk", [5, 10, 20]), ("phone", [15, 30])])
async def test_locks_end_by_themselves_and_double(house: House, tier: str, steps: list[int]) -> None:
    await house.person("0101")
    door = await house.terminal() if tier == "kiosk" else house.phone()
    for minutes in steps:
        assert problems(await wrongly(door, "0101", 5)) == ["login-failed"] * 5
        locked = await door.sign_in("0101", WRONG)
        assert locked.problem == "login-throttled"
        waits = int(locked.headers["Retry-After"])
        if (tier, minutes) != ("phone", 30):  # ten in a day: the daily window asks for longer
            assert (minutes - 1) * MINUTE < waits <= minutes * MINUTE
        house.clock.move(minutes * MINUTE - 5)
        assert (await door.sign_in("0101", WRONG)).problem == "login-throttled"
        house.clock.move(6)


async def test_a_right_pin_starts_the_count_and_the_ladder_anew(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    await wrongly(terminal, "0101", 4)
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    assert problems(await wrongly(terminal, "0101", 5)) == ["login-failed"] * 5
    house.clock.move(5 * MINUTE + 1)
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    await wrongly(terminal, "0101", 5)
    assert int((await terminal.sign_in("0101", WRONG)).headers["Retry-After"]) <= 5 * MINUTE


async def test_twenty_wrong_in_a_day_lock_until_the_oldest_leaves_the_window(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    for _ in range(5):  # four wrong and one right: the daily window is not reset by success
        assert problems(await wrongly(terminal, "0101", 4)) == ["login-failed"] * 4
        if _ < 4:
            assert (await terminal.sign_in("0101", person.pin)).status == 200
        house.clock.move(HOUR)
    locked = await terminal.sign_in("0101", person.pin)
    assert locked.problem == "login-throttled"
    assert 18 * HOUR < int(locked.headers["Retry-After"]) <= 19 * HOUR
    house.clock.move(19 * HOUR + 1)
    assert (await terminal.sign_in("0101", person.pin)).status == 200


async def test_sixty_wrong_in_an_hour_pause_one_kiosk_for_everybody_and_no_other(house: House) -> None:
    person, terminal, other = await house.person("0101"), await house.terminal(), await house.terminal()
    replies = await asyncio.gather(*(terminal.sign_in(f"9{number:03}", WRONG) for number in range(60)))
    assert set(problems(list(replies))) == {"login-failed"}
    paused = await terminal.sign_in("0101", person.pin)
    assert paused.problem == "login-throttled"
    assert 14 * MINUTE < int(paused.headers["Retry-After"]) <= 15 * MINUTE
    assert (await other.sign_in("0101", person.pin)).status == 200
    house.clock.move(15 * MINUTE + 1)
    assert (await terminal.sign_in("0101", person.pin)).status == 200


async def test_a_pin_reset_by_hr_opens_both_tiers_at_once(house: House) -> None:
    person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
    await wrongly(terminal, "0101", 5)
    await wrongly(phone, "0101", 5)
    await house.gateway.administration.people.set_pin(person.id, "730291", actor="cli")
    await _cleared(house)
    assert (await terminal.sign_in("0101", "730291")).status == 200
    assert (await phone.sign_in("0101", "730291")).status == 200
    assert problems(await wrongly(terminal, "0101", 5)) == ["login-failed"] * 5


async def test_a_pin_reset_forgets_wrong_tries_that_locked_nothing_yet(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    await wrongly(terminal, "0101", 4)
    await house.gateway.administration.people.set_pin(person.id, person.pin, actor="cli")
    await _cleared(house)
    assert problems(await wrongly(terminal, "0101", 5)) == ["login-failed"] * 5


async def test_clearing_a_lockout_reaches_redis_and_opens_only_what_was_cleared(any_house: House) -> None:
    house = any_house
    person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
    await wrongly(terminal, "0101", 5)
    await wrongly(phone, "0101", 5)
    lockouts = house.gateway.administration.lockouts
    locked = {lock.lockout.tier: lock.lockout.id for lock in await lockouts.list_(house.company_id)}
    assert set(locked) == {"kiosk", "phone"}
    await lockouts.clear([locked["phone"]], actor="cli")
    await _cleared(house)
    assert (await phone.sign_in("0101", person.pin)).status == 200
    assert (await terminal.sign_in("0101", person.pin)).problem == "login-throttled"
    await lockouts.clear([locked["kiosk"]], actor="cli")
    await _cleared(house)
    assert (await terminal.sign_in("0101", person.pin)).status == 200


async def test_a_change_of_ones_own_pin_zeroes_no_count(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    other = await house.terminal()
    await terminal.sign_in("0101", person.pin)
    await wrongly(other, "0101", 4)
    # The right current PIN is a success: it resets the consecutive count, and nothing else.
    assert (await terminal.change_pin(person.pin, "730291")).status == 204
    for _ in range(4):
        assert problems(await wrongly(other, "0101", 4)) == ["login-failed"] * 4
        await other.sign_in("0101", "730291") if _ < 3 else None
    assert (await other.sign_in("0101", "730291")).problem == "login-throttled"


async def test_a_person_without_a_pin_or_deactivated_looks_like_a_wrong_pin(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    people = house.gateway.administration.people
    await people.add(house.company_id, full_name="No Pin", personnel_number="0102", actor="cli")
    await people.set_active(person.id, False, actor="cli")
    await house.told()
    assert (await terminal.sign_in("0101", person.pin)).problem == "login-failed"
    assert (await terminal.sign_in("0102", "907311")).problem == "login-failed"


@pytest.mark.parametrize("known", [True, False])
async def test_a_lock_by_tries_that_never_came_back_names_its_person(house: House, known: bool) -> None:
    """Their gateway was killed: the next try at the number finds the lock, and is not hashed itself."""
    person, terminal = await house.person("0101"), await house.terminal()
    number, guard_key = "0101" if known else "9999", house.gateway.administration.guard_key
    subject = number_subject(guard_key, house.company_id, "kiosk", number).hex()
    guard = PinGuard(house.gateway.ephemeral)
    for at in range(5):
        await guard.reserve(Attempt(f"lost-{at}", house.company_id, "kiosk", subject), house.clock())
    house.clock.move(11)
    assert (await terminal.sign_in(number, WRONG)).problem == "login-throttled"
    (locked,) = await house.gateway.administration.lockouts.list_(house.company_id)
    assert (locked.user.id if locked.user else None) == (person.id if known else None)


async def _cleared(house: House) -> None:
    """Return when what the feed says about locks has reached the guard."""
    await house.told()
    await house.gateway.cleared_locks.settled()
