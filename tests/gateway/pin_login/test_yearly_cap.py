"""The counts of 365 days, which live in SQL: exact, also under parallel tries, and ended only by a reset."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from storage import lockouts
from storage.ephemeral.pin_guard import DAY
from tests.gateway.pin_login.conftest import have_failed_in_sql, new_number, subject_of

if TYPE_CHECKING:
    from storage.ephemeral.pin_guard import Tier
    from tests.gateway.house import House, Person
    from tests.gateway.phone import Phone
    from tests.gateway.pin_login.conftest import Hashes
    from tests.gateway.terminal import Terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "481516"
MONTH = 30 * DAY
CAPS = [("kiosk", 100), ("phone", 50)]


@pytest.mark.parametrize(("tier", "cap"), CAPS)
@pytest.mark.parametrize("known", [True, False])
async def test_the_cap_is_reached_by_exactly_so_many_wrong_tries(
    house: House, person: Person, terminal: Terminal, hashes: Hashes, tier: Tier, cap: int, known: bool
) -> None:
    number = person.number if known else new_number()
    await have_failed_in_sql(house, tier, number, cap - 2, at=house.clock() - MONTH)
    disabled_before = (await house.audit_names()).count("pin.disabled")
    doors: list[Terminal | Phone] = [terminal, house.phone()]
    door, other = doors if tier == "kiosk" else doors[::-1]
    assert [(await door.sign_in(number, WRONG)).problem for _ in range(4)] == [
        "login-failed",
        "login-failed",
        "login-throttled",
        "login-throttled",
    ]
    assert hashes.computed == 2
    assert (await door.sign_in(number, person.pin)).problem == "login-throttled"
    assert (await house.audit_names()).count("pin.disabled") == disabled_before + 1
    # The other tier is a scope of its own.
    assert (await other.sign_in(person.number, person.pin)).status == 200


@pytest.mark.parametrize(("tier", "cap"), CAPS)
async def test_parallel_tries_get_not_one_guess_past_the_cap(
    any_house: House, hashes: Hashes, tier: Tier, cap: int
) -> None:
    number = (await any_house.person(new_number())).number
    await have_failed_in_sql(any_house, tier, number, cap - 3, at=any_house.clock() - MONTH)
    door = await any_house.terminal() if tier == "kiosk" else any_house.phone()
    replies = await asyncio.gather(*(door.sign_in(number, WRONG) for _ in range(20)))
    counts = Counter(reply.problem for reply in replies)
    assert set(counts) == {"login-failed", "login-throttled"}
    assert counts["login-failed"] == hashes.computed <= 3
    while (await door.sign_in(number, WRONG)).problem == "login-failed":
        pass
    assert hashes.computed == 3


async def test_what_failed_more_than_365_days_ago_counts_no_more(
    house: House, person: Person, terminal: Terminal
) -> None:
    await have_failed_in_sql(house, "kiosk", person.number, 99, at=house.clock() - 365 * DAY + 60)
    house.clock.move(61)
    assert (await terminal.sign_in(person.number, WRONG)).problem == "login-failed"
    assert (await terminal.sign_in(person.number, WRONG)).problem == "login-failed"


async def test_a_reached_cap_outlasts_the_year_until_the_pin_is_reset(house: House, person: Person) -> None:
    phone = house.phone()
    await have_failed_in_sql(house, "phone", person.number, 49, at=house.clock() - MONTH)
    await phone.sign_in(person.number, WRONG)
    house.clock.move(366 * DAY)
    assert (await phone.sign_in(person.number, person.pin)).problem == "login-throttled"
    await house.gateway.administration.people.set_pin(person.id, "730291", actor="cli")
    await house.told()
    await house.gateway.cleared_locks.settled()
    assert (await phone.sign_in(person.number, "730291")).status == 200


async def test_the_count_is_in_sql_before_the_answer_is_given(house: House, person: Person) -> None:
    terminal = await house.terminal()  # a new one: the others' keys may have ended with the year
    subject = subject_of(house, "kiosk", person.number)
    for times in range(1, 4):
        assert (await terminal.sign_in(person.number, WRONG)).problem == "login-failed"
        async with house.gateway.administration.database.read() as connection:
            assert await lockouts.count_failures(connection, subject, 0) == times
