"""One password tried at many addresses: a source is slowed down, and cannot fill the database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.accounts import guard
from gateway.accounts.guard import SOURCE_GAP_SECONDS, SOURCE_SECONDS
from gateway.http.problems import Problem
from tests.gateway.accounts.person import EMAIL, PASSWORD, WRONG, login, with_login
from tests.gateway.house import open_house, serving
from tests.gateway.pages.console.visitor import Visitor
from tests.servers.databases import KINDS, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.accounts.conftest import Hashes
    from tests.gateway.house import House
    from tests.gateway.terminal import Reply

TRIES = 4
"""So many a source may have wrong here: that it is thirty where people work, one test shows."""

HERE, THERE = {"X_Forwarded_For": "192.0.2.7"}, {"X_Forwarded_For": "192.0.2.8"}


@pytest.fixture(autouse=True)
def few_tries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.function is not test_of_40_guesses_at_40_addresses_from_one_source_30_are_hashed:
        monkeypatch.setattr(guard, "SOURCE_TRIES", TRIES)


@pytest.fixture
async def behind_a_proxy(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path / "data", trusted_proxies=["127.0.0.1/32"]) as opened:
        yield opened


@pytest.fixture(params=KINDS)
async def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway behind a proxy, which says where requests come from."""
    async with (
        fresh_url(request.param, tmp_path) as url,
        open_house(tmp_path / "home", database_url=url, trusted_proxies=["127.0.0.1/32"]) as opened,
    ):
        yield opened


async def guess(house: House, at: int, source: dict[str, str]) -> Reply:
    return await login(house, f"somebody{at}@rosenthal.example", WRONG, **source)


async def used_up(house: House, source: dict[str, str]) -> None:
    for at in range(TRIES):
        assert (await guess(house, at, source)).status == 401


async def test_of_40_guesses_at_40_addresses_from_one_source_30_are_hashed(
    proxied: House, hashes: Hashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxied.gateway.administration.passwords, "_pool", proxied.gateway.administration.hashing)
    replies = await asyncio.gather(*(guess(proxied, at, HERE) for at in range(40)))
    assert sorted(reply.status for reply in replies) == [401] * 30 + [429] * 10
    assert {reply.problem for reply in replies if reply.status == 429} == {"too-many-requests"}
    assert hashes.computed == 30


async def test_after_that_there_is_a_try_every_five_seconds_and_never_a_longer_block(behind_a_proxy: House) -> None:
    house = behind_a_proxy
    await with_login(house)
    await used_up(house, HERE)
    refused = await login(house, EMAIL, PASSWORD, **HERE)
    assert (refused.status, refused.problem, refused.headers["Retry-After"]) == (429, "too-many-requests", "5")
    assert (await login(house, EMAIL, PASSWORD, **THERE)).status == 200
    for at in range(2):
        house.clock.move(SOURCE_GAP_SECONDS)
        assert (await guess(house, 100 + at, HERE)).status == 401
        assert (await guess(house, 200 + at, HERE)).status == 429
    house.clock.move(SOURCE_GAP_SECONDS)
    for _ in range(2):  # right ones slow nobody down
        assert (await login(house, EMAIL, PASSWORD, **HERE)).status == 200
    house.clock.move(SOURCE_SECONDS)
    await used_up(house, HERE)


async def test_right_passwords_do_not_count_and_neither_do_tries_that_were_not_hashed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_login(house)
    for _ in range(TRIES + 1):
        assert (await login(house)).status == 200

    async def full(*_: object) -> bool:
        raise Problem("busy")

    with monkeypatch.context() as patched:
        patched.setattr(house.gateway.administration.passwords, "verify", full)
        for at in range(TRIES + 1):
            assert (await guess(house, at, {})).problem == "busy"
    await used_up(house, {})


async def test_addresses_of_one_ipv6_network_are_one_source(behind_a_proxy: House) -> None:
    for at in range(TRIES):
        assert (await guess(behind_a_proxy, at, {"X_Forwarded_For": f"2001:db8::{at + 1:x}"})).status == 401
    assert (await guess(behind_a_proxy, 99, {"X_Forwarded_For": "2001:db8::ffff"})).status == 429
    assert (await guess(behind_a_proxy, 99, {"X_Forwarded_For": "2001:db8:0:1::1"})).status == 401


async def test_two_gateways_on_one_database_count_a_source_together(proxied: House, hashes: Hashes) -> None:
    house = proxied
    settings = house.gateway.administration.settings
    async with serving(
        settings.data_dir,
        clock=house.clock,
        database_url=settings.effective_database_url,
        trusted_proxies=["127.0.0.1/32"],
    ) as (gateway, url):
        beside = replace(house, gateway=gateway, url=url)
        for at in range(0, TRIES + 5, 3):
            await asyncio.gather(*(guess(beside if one % 2 else house, one, HERE) for one in range(at, at + 3)))
    assert hashes.computed == TRIES


async def test_a_page_says_so_and_keeps_the_address(house: House) -> None:
    await used_up(house, {})
    shown = await Visitor(house).sign_in("hr@rosenthal.example")
    assert (shown.status, shown.headers["Retry-After"]) == (429, "5")
    assert "Too many tries from this address." in shown.words
    assert shown.value("email") == "hr@rosenthal.example"


async def test_wrong_logins_of_addresses_nobody_has_fill_no_database(
    proxied: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = proxied
    await with_login(house)
    monkeypatch.setattr(guard, "UNKNOWN_EVENTS", 7)
    monkeypatch.setattr(guard, "SOURCE_TRIES", 30)
    for tries in (6, 2):  # the sixth is refused, so that these are 5 wrong ones and a lock, and one too many
        for _ in range(tries):
            await login(house, "nobody@rosenthal.example", WRONG, **HERE)
        house.clock.move(guard.LOCK_SECONDS + 1)
    assert (await house.audit_names()).count("login.failed") == 6
    assert (await house.audit_names()).count("account.locked") == 1
    for _ in range(5):  # what concerns somebody is always told
        await login(house, EMAIL, WRONG, **THERE)
    assert (await house.audit_names()).count("login.failed") == 11
    assert (await house.audit_names()).count("account.locked") == 2
    house.clock.move(guard.KEEP_SECONDS + 1)
    await login(house, "nobody@rosenthal.example", WRONG, **HERE)
    assert (await house.audit_names()).count("login.failed") == 12
