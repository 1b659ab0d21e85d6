"""Five wrong passwords lock an address for a quarter of an hour, however they are sent and wherever they are asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.accounts.guard import FLIGHT_SECONDS, KEEP_SECONDS, LOCK_SECONDS, TRIES
from gateway.housekeeping import Housekeeping
from gateway.http.problems import Problem
from storage import account_guard
from tests.gateway.accounts.person import (
    EMAIL,
    OTHER_PASSWORD,
    PASSWORD,
    WRONG,
    have_failed,
    login,
    token_of,
    with_login,
)
from tests.gateway.house import open_house, serving
from tests.gateway.signed_in import call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.accounts.conftest import Hashes
    from tests.gateway.house import House
    from tests.servers.redis import RedisServer

NOBODY = "nobody@rosenthal.example"


async def test_of_40_parallel_wrong_logins_at_a_limit_of_5_exactly_5_are_hashed(both: House, hashes: Hashes) -> None:
    house = both
    await with_login(house)
    is_sqlite = house.gateway.administration.settings.effective_database_url.startswith("sqlite")
    # On SQLite one transaction writes at a time, whoever it is: a few show that nobody's tries are written too.
    for email, at_once in ((EMAIL, 40), (NOBODY, 10 if is_sqlite else 40)):
        hashes.computed = 0
        replies = await asyncio.gather(*(login(house, email, WRONG) for _ in range(at_once)))
        assert hashes.computed == TRIES, email
        assert sorted(reply.status for reply in replies) == [401] * TRIES + [429] * (at_once - TRIES)
        assert (await login(house, email, PASSWORD)).status == 429
        assert hashes.computed == TRIES


async def test_two_gateways_on_one_database_count_together(both: House, hashes: Hashes) -> None:
    house = both
    await with_login(house)
    settings = house.gateway.administration.settings
    async with serving(settings.data_dir, clock=house.clock, database_url=settings.effective_database_url) as (
        gateway,
        url,
    ):
        beside = replace(house, gateway=gateway, url=url)
        replies = await asyncio.gather(*(login(beside if at % 2 else house, EMAIL, WRONG) for at in range(12)))
    assert hashes.computed == TRIES
    assert [reply.status for reply in replies].count(401) == TRIES


async def test_a_lock_ends_after_15_minutes_with_a_full_new_set_of_tries(house: House) -> None:
    await with_login(house)
    for _ in range(TRIES):
        assert (await login(house, password=WRONG)).problem == "login-failed"
    locked = await login(house)
    assert (locked.status, locked.problem) == (429, "login-throttled")
    assert LOCK_SECONDS - 5 <= int(locked.headers["Retry-After"]) <= LOCK_SECONDS
    house.clock.move(LOCK_SECONDS - 10)
    assert (await login(house)).status == 429
    house.clock.move(11)
    for _ in range(TRIES - 1):
        assert (await login(house, password=WRONG)).status == 401
    assert (await login(house)).status == 200


async def test_nobody_can_hold_a_lock_open(house: House) -> None:
    await with_login(house)
    await have_failed(house, TRIES)
    for _ in range(3):
        house.clock.move(LOCK_SECONDS / 4)
        assert (await login(house, password=WRONG)).status == 429
    house.clock.move(LOCK_SECONDS / 4 + 1)
    assert (await login(house)).status == 200


async def test_a_right_password_ends_the_row_of_wrong_ones(house: House) -> None:
    await with_login(house)
    for _ in range(2):
        for _ in range(TRIES - 1):
            assert (await login(house, password=WRONG)).status == 401
        assert (await login(house)).status == 200


async def test_wrong_passwords_are_forgotten_after_a_day(house: House) -> None:
    await with_login(house)
    await have_failed(house, TRIES - 1)
    house.clock.move(KEEP_SECONDS + 1)
    assert (await login(house, password=WRONG)).status == 401
    assert (await login(house)).status == 200


async def test_every_check_of_a_password_counts(house: House) -> None:
    await with_login(house)
    token = await token_of(house)
    change = {"current_password": WRONG, "new_password": OTHER_PASSWORD}
    guesses = [
        login(house, password=WRONG),
        call(house, "POST", "/api/auth/confirm", {"password": WRONG}, token=token),
        call(house, "POST", "/api/auth/change-password", change, token=token),
        call(house, "POST", "/api/auth/confirm", {"password": WRONG}, token=token),
        call(house, "POST", "/api/auth/change-password", change, token=token),
    ]
    for guess in guesses:
        assert (await guess).problem == "login-failed"
    right = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    for last in (
        login(house),
        call(house, "POST", "/api/auth/confirm", {"password": PASSWORD}, token=token),
        call(house, "POST", "/api/auth/change-password", right, token=token),
    ):
        assert (await last).problem == "login-throttled"


async def test_five_people_at_one_address_may_sign_in_at_once(house: House) -> None:
    await with_login(house)
    for _ in range(2):
        replies = await asyncio.gather(*(login(house) for _ in range(TRIES)))
        assert [reply.status for reply in replies] == [200] * TRIES


async def test_what_was_refused_because_the_queue_was_full_does_not_count(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_login(house)

    async def full(*_: object) -> bool:
        raise Problem("busy")

    with monkeypatch.context() as patched:
        patched.setattr(house.gateway.administration.passwords, "verify", full)
        for _ in range(TRIES + 1):
            assert (await login(house)).problem == "busy"
    assert (await login(house)).status == 200


async def test_a_try_without_a_result_is_a_wrong_one_after_ten_seconds(house: House) -> None:
    guard = house.gateway.administration.account_guard
    await with_login(house)
    lost = [await guard.reserve(EMAIL, None) for _ in range(TRIES)]
    assert (await login(house)).problem == "login-throttled"
    house.clock.move(FLIGHT_SECONDS + 1)
    async with house.gateway.administration.database.write() as connection:
        assert not await guard.right(connection, lost[0])
    assert (await login(house)).problem == "login-throttled"
    assert (await house.audit_names())[-1] == "account.locked"
    house.clock.move(LOCK_SECONDS + 1)
    assert (await login(house)).status == 200


async def test_a_right_password_that_took_too_long_is_a_wrong_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_login(house)
    passwords = house.gateway.administration.passwords
    verify = passwords.verify

    async def slowly(stored: str | None, password: str) -> bool:
        house.clock.move(FLIGHT_SECONDS + 1)
        return await verify(stored, password)

    with monkeypatch.context() as patched:
        patched.setattr(passwords, "verify", slowly)
        for _ in range(TRIES):
            assert (await login(house)).problem == "login-failed"
    assert (await login(house)).problem == "login-throttled"


async def test_it_can_sign_in_while_redis_is_away(tmp_path: Path, own_redis_server: RedisServer) -> None:
    async with open_house(tmp_path / "data", redis_url=own_redis_server.url) as house:
        await with_login(house, role="it")
        own_redis_server.stop()
        for _ in range(TRIES - 1):
            assert (await login(house, password=WRONG)).status == 401
        assert (await login(house)).status == 200
        for _ in range(TRIES):
            assert (await login(house, password=WRONG)).status == 401
        assert (await login(house)).status == 429


async def test_locks_are_told_listed_and_cleared(house: House) -> None:
    site = house.gateway.administration
    user = await with_login(house)
    for email in (EMAIL, NOBODY):
        for _ in range(TRIES):
            await login(house, email, WRONG)
    (locked,) = await site.lockouts.list_(house.company_id)
    assert locked.user is not None
    assert (locked.user.id, locked.lockout.tier, locked.lockout.reason) == (user.id, "account", "consecutive")
    assert (locked.lockout.until or 0) - locked.lockout.since == pytest.approx(LOCK_SECONDS)
    await site.lockouts.clear([locked.lockout.id], actor="cli")
    assert (await login(house)).status == 200
    assert await site.lockouts.list_() == []
    names = await house.audit_names()
    assert (names.count("login.failed"), names.count("account.locked")) == (2 * TRIES, 2)
    assert names[-2:] == ["account.unlocked", "account.login"]


async def test_a_new_password_ends_the_lock(house: House) -> None:
    user = await with_login(house)
    await have_failed(house, TRIES)
    assert len(await house.gateway.administration.lockouts.list_()) == 1
    await house.gateway.administration.accounts.set_password(user.id, OTHER_PASSWORD, actor="cli")
    assert await house.gateway.administration.lockouts.list_() == []
    assert (await login(house, password=OTHER_PASSWORD)).status == 200


async def test_housekeeping_forgets_addresses_that_nobody_tried_for_a_day(house: House) -> None:
    database = house.gateway.administration.database
    await login(house, NOBODY, WRONG)

    async def rows() -> int:
        async with database.read() as connection:
            tries = await connection.execute(account_guard.account_tries.select())
            guards = await connection.execute(account_guard.account_guards.select())
            return len(list(tries)) + len(list(guards))

    house.clock.move(KEEP_SECONDS - 60)
    await Housekeeping(database, house.clock).sweep()
    assert await rows() == 4  # of the address, and of the source
    house.clock.move(120)
    await Housekeeping(database, house.clock).sweep()
    assert await rows() == 0


def test_an_address_is_counted_under_a_hash_that_needs_the_key(house: House) -> None:
    guard = house.gateway.administration.account_guard
    assert len(guard.subject(EMAIL)) == 32
    assert guard.subject(EMAIL) != guard.subject(NOBODY)
