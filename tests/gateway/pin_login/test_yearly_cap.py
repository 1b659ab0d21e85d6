"""The counts of 365 days, which live in SQL: exact, also under parallel tries, and ended only by a reset."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gateway.pin_login.subjects import number_subject
from storage import lockouts

if TYPE_CHECKING:
    from tests.gateway.house import House
    from tests.gateway.pin_login.conftest import Hashes

WRONG = "481516"
DAY = 86400.0
CAPS = [("kiosk", 100), ("phone", 50)]


async def have_failed(house: House, number: str, tier: str, times: int, ago: float = 30 * DAY) -> None:
    """Wrong tries of earlier, one a day: as the login itself writes them."""
    subject = number_subject(house.gateway.administration.guard_key, house.company_id, tier, number)
    async with house.gateway.administration.database.write() as connection:
        for _ in range(times):
            await lockouts.record_failure(connection, subject, house.clock() - ago)


@pytest.mark.parametrize(("tier", "cap"), CAPS)
@pytest.mark.parametrize("known", [True, False])
async def test_the_cap_is_reached_by_exactly_so_many_wrong_tries(
    house: House, hashes: Hashes, tier: str, cap: int, known: bool
) -> None:
    person = await house.person("0101")
    number = "0101" if known else "9999"
    await have_failed(house, number, tier, cap - 2)
    door = await house.terminal() if tier == "kiosk" else house.phone()
    assert [(await door.sign_in(number, WRONG)).problem for _ in range(4)] == [
        "login-failed",
        "login-failed",
        "login-throttled",
        "login-throttled",
    ]
    assert hashes.computed == 2
    assert (await door.sign_in(number, person.pin)).problem == "login-throttled"
    assert (await house.audit_names()).count("pin.disabled") == 1
    # The other tier is a scope of its own.
    other = house.phone() if tier == "kiosk" else await house.terminal()
    assert (await other.sign_in("0101", person.pin)).status == 200


@pytest.mark.parametrize(("tier", "cap"), CAPS)
async def test_parallel_tries_get_not_one_guess_past_the_cap(
    any_house: House, hashes: Hashes, tier: str, cap: int
) -> None:
    await any_house.person("0101")
    await have_failed(any_house, "0101", tier, cap - 3)
    door = await any_house.terminal() if tier == "kiosk" else any_house.phone()
    replies = await asyncio.gather(*(door.sign_in("0101", WRONG) for _ in range(20)))
    counts = Counter(reply.problem for reply in replies)
    assert set(counts) == {"login-failed", "login-throttled"}
    assert counts["login-failed"] == hashes.computed <= 3
    while (await door.sign_in("0101", WRONG)).problem == "login-failed":
        pass
    assert hashes.computed == 3


async def test_what_failed_more_than_365_days_ago_counts_no_more(house: House) -> None:
    await house.person("0101")
    await have_failed(house, "0101", "kiosk", 99, ago=365 * DAY - 60)
    terminal = await house.terminal()
    house.clock.move(61)
    assert (await terminal.sign_in("0101", WRONG)).problem == "login-failed"
    assert (await terminal.sign_in("0101", WRONG)).problem == "login-failed"


async def test_a_reached_cap_outlasts_the_year_until_the_pin_is_reset(house: House) -> None:
    person, phone = await house.person("0101"), house.phone()
    await have_failed(house, "0101", "phone", 49)
    await phone.sign_in("0101", WRONG)
    house.clock.move(366 * DAY)
    assert (await phone.sign_in("0101", person.pin)).problem == "login-throttled"
    await house.gateway.administration.people.set_pin(person.id, "730291", actor="cli")
    await house.told()
    await house.gateway.cleared_locks.settled()
    assert (await phone.sign_in("0101", "730291")).status == 200


async def test_the_count_is_in_sql_before_the_answer_is_given(house: House) -> None:
    await house.person("0101")
    terminal = await house.terminal()
    subject = number_subject(house.gateway.administration.guard_key, house.company_id, "kiosk", "0101")
    for times in range(1, 4):
        await terminal.sign_in("0101", WRONG)
        async with house.gateway.administration.database.read() as connection:
            assert await lockouts.count_failures(connection, subject, 0) == times
