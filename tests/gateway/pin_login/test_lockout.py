"""The lockout policy as people and attackers meet it: over HTTP, on both tiers, with a clock that is moved."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from storage.ephemeral.pin_guard import Attempt, PinGuard
from tests.gateway.crowd import hire
from tests.gateway.phone import Phone
from tests.gateway.pin_login.conftest import have_failed, new_number, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.gateway.house import House, Person
    from tests.gateway.pin_login.conftest import Hashes
    from tests.gateway.terminal import Reply, Terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "481516"
MINUTE = 60.0
HOUR = 3600.0


def problems(replies: Iterable[Reply]) -> list[str]:
    return [reply.problem for reply in replies]


async def wrongly(door: Terminal | Phone, number: str, times: int) -> list[Reply]:
    return [await door.sign_in(number, WRONG) for _ in range(times)]


async def lock(house: House, door: Terminal | Phone, number: str) -> None:
    """Five wrong in a row, the last of them at the door."""
    await have_failed(house, "phone" if isinstance(door, Phone) else "kiosk", number, 4)
    assert (await door.sign_in(number, WRONG)).problem == "login-failed"


@pytest.mark.parametrize("tier", ["kiosk", "phone"])
async def test_of_60_concurrent_wrong_pins_at_a_limit_of_5_exactly_5_are_hashed(
    any_house: House, hashes: Hashes, tier: str
) -> None:
    person, before = await any_house.person(new_number()), Counter(await any_house.audit_names())
    door = await any_house.terminal() if tier == "kiosk" else any_house.phone()
    replies = await asyncio.gather(*(door.sign_in(person.number, WRONG) for _ in range(60)))
    assert hashes.computed == 5
    assert Counter(problems(replies)) == {"login-failed": 5, "login-throttled": 55}
    assert (await door.sign_in(person.number, person.pin)).problem == "login-throttled"
    assert hashes.computed == 5
    names = Counter(await any_house.audit_names()) - before
    assert (names["login.failed"], names["pin.locked"]) == (5, 1)


async def test_of_20_concurrent_guesses_at_a_number_nobody_has_5_are_hashed_too(
    house: House, terminal: Terminal, hashes: Hashes
) -> None:
    nobody = new_number()
    replies = await asyncio.gather(*(terminal.sign_in(nobody, WRONG) for _ in range(20)))
    assert hashes.computed == 5
    assert Counter(problems(replies)) == {"login-failed": 5, "login-throttled": 15}


async def test_forty_people_who_sign_in_rightly_at_once_are_never_slowed(house: House) -> None:
    numbers = [new_number() for _ in range(40)]
    await hire(house.gateway.administration, house.company_id, numbers, "907311")
    replies = await asyncio.gather(*(house.phone().sign_in(number, "907311") for number in numbers))
    assert {reply.status for reply in replies} == {200}


async def test_a_lock_on_the_phone_tier_leaves_the_kiosk_open(house: House, person: Person, terminal: Terminal) -> None:
    phone = house.phone()
    await lock(house, phone, person.number)
    locked = await phone.sign_in(person.number, person.pin)
    assert (locked.status, locked.problem) == (429, "login-throttled")
    assert int(locked.headers["Retry-After"]) > 14 * 60
    assert (await terminal.sign_in(person.number, person.pin)).status == 200
    assert (await phone.sign_in(person.number, person.pin)).problem == "login-throttled"


async def test_phones_that_fill_their_queue_of_hashes_take_no_terminals_turn(
    house: House, person: Person, terminal: Terminal
) -> None:
    phone = house.phone()
    of_phones, release = house.gateway.pin_login._hashing["phone"], threading.Event()
    jobs = [asyncio.create_task(of_phones.run(release.wait)) for _ in range(of_phones._capacity)]
    await asyncio.sleep(0)
    assert (await phone.sign_in(person.number, person.pin)).problem == "busy"
    assert (await terminal.sign_in(person.number, person.pin)).status == 200
    release.set()
    await asyncio.gather(*jobs)
    assert (await phone.sign_in(person.number, person.pin)).status == 200


async def test_a_lock_on_the_kiosk_tier_leaves_the_phone_open(house: House, person: Person, terminal: Terminal) -> None:
    await lock(house, terminal, person.number)
    assert (await terminal.sign_in(person.number, person.pin)).problem == "login-throttled"
    assert (await house.phone().sign_in(person.number, person.pin)).status == 200


@pytest.mark.parametrize(("tier", "steps"), [("kiosk", [5, 10, 20]), ("phone", [15, 30])])
async def test_locks_end_by_themselves_and_double(
    house: House, person: Person, terminal: Terminal, tier: str, steps: list[int]
) -> None:
    door = terminal if tier == "kiosk" else house.phone()
    for minutes in steps:
        await lock(house, door, person.number)
        locked = await door.sign_in(person.number, WRONG)
        assert locked.problem == "login-throttled"
        waits = int(locked.headers["Retry-After"])
        if (tier, minutes) != ("phone", 30):  # ten in a day: the daily window asks for longer
            assert (minutes - 1) * MINUTE < waits <= minutes * MINUTE
        house.clock.move(minutes * MINUTE - 5)
        assert (await door.sign_in(person.number, WRONG)).problem == "login-throttled"
        house.clock.move(6)


async def test_a_right_pin_starts_the_count_and_the_ladder_anew(
    house: House, person: Person, terminal: Terminal
) -> None:
    number = person.number
    await wrongly(terminal, number, 4)
    assert (await terminal.sign_in(number, person.pin)).status == 200
    assert problems(await wrongly(terminal, number, 5)) == ["login-failed"] * 5
    house.clock.move(5 * MINUTE + 1)
    assert (await terminal.sign_in(number, person.pin)).status == 200
    await lock(house, terminal, number)
    assert int((await terminal.sign_in(number, WRONG)).headers["Retry-After"]) <= 5 * MINUTE


async def test_twenty_wrong_in_a_day_lock_until_the_oldest_leaves_the_window(
    house: House, person: Person, terminal: Terminal
) -> None:
    number = person.number
    for times in range(5):  # four wrong and one right: the daily window is not reset by success
        if times < 4:
            await have_failed(house, "kiosk", number, 4)
            assert (await terminal.sign_in(number, person.pin)).status == 200
        else:
            assert problems(await wrongly(terminal, number, 4)) == ["login-failed"] * 4
        house.clock.move(HOUR)
    locked = await terminal.sign_in(number, person.pin)
    assert locked.problem == "login-throttled"
    assert 18 * HOUR < int(locked.headers["Retry-After"]) <= 19 * HOUR
    house.clock.move(19 * HOUR + 1)
    assert (await terminal.sign_in(number, person.pin)).status == 200


async def test_sixty_wrong_in_an_hour_pause_one_kiosk_for_everybody_and_no_other(
    house: House, person: Person, terminal: Terminal
) -> None:
    other = await house.terminal()
    for _ in range(18):
        await have_failed(house, "kiosk", new_number(), 3, device_id=terminal.device_id)
    replies = await asyncio.gather(*(terminal.sign_in(new_number(), WRONG) for _ in range(6)))
    assert set(problems(replies)) == {"login-failed"}
    paused = await terminal.sign_in(person.number, person.pin)
    assert paused.problem == "login-throttled"
    assert 14 * MINUTE < int(paused.headers["Retry-After"]) <= 15 * MINUTE
    assert (await other.sign_in(person.number, person.pin)).status == 200
    house.clock.move(15 * MINUTE + 1)
    assert (await terminal.sign_in(person.number, person.pin)).status == 200


async def test_a_pin_reset_by_hr_opens_both_tiers_at_once(house: House, person: Person, terminal: Terminal) -> None:
    number, phone = person.number, house.phone()
    await lock(house, terminal, number)
    await lock(house, phone, number)
    assert (
        problems([await terminal.sign_in(number, person.pin), await phone.sign_in(number, person.pin)])
        == ["login-throttled"] * 2
    )
    await house.gateway.administration.people.set_pin(person.id, "730291", actor="cli")
    await _cleared(house)
    assert (await terminal.sign_in(number, "730291")).status == 200
    assert (await phone.sign_in(number, "730291")).status == 200
    assert problems(await wrongly(terminal, number, 5)) == ["login-failed"] * 5


async def test_a_pin_reset_forgets_wrong_tries_that_locked_nothing_yet(
    house: House, person: Person, terminal: Terminal
) -> None:
    await have_failed(house, "kiosk", person.number, 4)
    await house.gateway.administration.people.set_pin(person.id, person.pin, actor="cli")
    await _cleared(house)
    assert problems(await wrongly(terminal, person.number, 5)) == ["login-failed"] * 5


async def test_clearing_a_lockout_reaches_redis_and_opens_only_what_was_cleared(any_house: House) -> None:
    house = any_house
    person, terminal, phone = await house.person(new_number()), await house.terminal(), house.phone()
    await lock(house, terminal, person.number)
    await lock(house, phone, person.number)
    lockouts = house.gateway.administration.lockouts
    locked = {one.lockout.tier: one.lockout.id for one in await lockouts.list_(house.company_id)}
    assert set(locked) == {"kiosk", "phone"}
    await lockouts.clear([locked["phone"]], actor="cli")
    await _cleared(house)
    assert (await phone.sign_in(person.number, person.pin)).status == 200
    assert (await terminal.sign_in(person.number, person.pin)).problem == "login-throttled"
    await lockouts.clear([locked["kiosk"]], actor="cli")
    await _cleared(house)
    assert (await terminal.sign_in(person.number, person.pin)).status == 200


async def test_a_change_of_ones_own_pin_zeroes_no_count(house: House, person: Person, terminal: Terminal) -> None:
    number, other = person.number, await house.terminal()
    await terminal.sign_in(number, person.pin)
    await have_failed(house, "kiosk", number, 4)
    # The right current PIN is a success: it resets the consecutive count, and nothing else.
    assert (await terminal.change_pin(person.pin, "730291")).status == 204
    for _ in range(3):
        await have_failed(house, "kiosk", number, 4)
        assert (await other.sign_in(number, "730291")).status == 200
    assert problems(await wrongly(other, number, 4)) == ["login-failed"] * 4
    assert (await other.sign_in(number, "730291")).problem == "login-throttled"


async def test_a_person_without_a_pin_or_deactivated_looks_like_a_wrong_pin(
    house: House, person: Person, terminal: Terminal
) -> None:
    people, without = house.gateway.administration.people, new_number()
    await people.add(house.company_id, full_name="No Pin", personnel_number=without, actor="cli")
    await people.set_active(person.id, False, actor="cli")
    await house.told()
    assert (await terminal.sign_in(person.number, person.pin)).problem == "login-failed"
    assert (await terminal.sign_in(without, "907311")).problem == "login-failed"


@pytest.mark.parametrize("known", [True, False])
async def test_a_lock_by_tries_that_never_came_back_names_its_person(
    house: House, person: Person, terminal: Terminal, known: bool
) -> None:
    """Their gateway was killed: the next try at the number finds the lock, and is not hashed itself."""
    number = person.number if known else new_number()
    subject = subject_of(house, "kiosk", number).hex()
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
