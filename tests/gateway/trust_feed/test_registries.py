"""What a process holds in memory about devices, companies and ended sessions, and how it stays true."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from crypto.device_keys import DeviceKey
from gateway.trust_feed import kinds
from gateway.trust_feed.device_registry import UNKNOWN_AT_MOST, DeviceRegistry
from gateway.trust_feed.endings import Endings
from storage import trust_changes
from storage.trust_changes import TrustChange
from tests.gateway.house import open_house, serving
from tests.gateway.terminal import KIOSK, Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.gateway.house import House
    from tests.servers.redis import RedisServer


ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


class CountedReads:
    """Stands in for the feed: a refresh finds nothing new."""

    def __init__(self) -> None:
        self.reads = 0

    async def refresh(self) -> None:
        self.reads += 1


async def test_an_unknown_key_is_looked_for_once_a_second_at_most() -> None:
    feed, now = CountedReads(), [100.0]
    registry = DeviceRegistry(feed, lambda: now[0])  # type: ignore[arg-type]
    for _ in range(50):
        assert await registry.find("nobody") is None
    assert feed.reads == 1
    now[0] += 1.5
    await registry.find("nobody")
    assert feed.reads == 2


async def test_unknown_keys_cost_a_bounded_memory() -> None:
    registry = DeviceRegistry(CountedReads(), lambda: 100.0)  # type: ignore[arg-type]
    for at in range(UNKNOWN_AT_MOST + 500):
        await registry.find(f"key {at}")
    assert len(registry._unknown) <= UNKNOWN_AT_MOST


@ON_ONE_LOOP
async def test_many_unknown_keys_at_once_cost_a_bounded_number_of_reads(
    shared_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, after = 0, trust_changes.after

    async def counted(connection: AsyncConnection, seq: int) -> list[TrustChange]:
        nonlocal reads
        reads += 1
        return await after(connection, seq)

    monkeypatch.setattr(trust_changes, "after", counted)
    strangers = [Terminal(shared_house.http, shared_house.url, shared_house.clock) for _ in range(40)]
    started = asyncio.get_running_loop().time()
    replies = await asyncio.gather(*(stranger.device() for stranger in strangers))
    seconds = asyncio.get_running_loop().time() - started
    assert {reply.problem for reply in replies} == {"device-unknown"}
    # One read each 50 ms for all of them together, and the feed's own each 250 ms.
    assert reads <= 3 + seconds / 0.05 + seconds / 0.25


async def test_a_terminal_that_enrolled_at_another_gateway_is_known_here_at_its_first_request(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.trust_feed.feed.POLL_SECONDS", 60.0)
    shared = {"redis_url": redis_server.url}
    async with open_house(tmp_path / "data", **shared) as house, serving(tmp_path / "data", **shared) as (_, url):  # type: ignore[arg-type]
        terminal = await house.pending_terminal()
        elsewhere = Terminal(house.http, url, house.clock)
        elsewhere.key = terminal.key
        assert (await elsewhere.device()).body["state"] == "pending"


@ON_ONE_LOOP
async def test_a_key_asked_for_before_its_enrolment_is_known_right_after_it(shared_house: House) -> None:
    terminal = Terminal(shared_house.http, shared_house.url, shared_house.clock)
    assert (await terminal.device()).problem == "device-unknown"
    assert (await terminal.enrol(await shared_house.code())).status == 201
    assert (await terminal.device()).body["state"] == "pending"


@ON_ONE_LOOP
async def test_a_key_blocked_by_a_replacement_belongs_to_no_device(shared_house: House) -> None:
    terminal = await shared_house.terminal()
    replaced = await shared_house.gateway.administration.devices.replace(terminal.device_id, actor="cli")
    await shared_house.told()
    assert (await terminal.device()).problem == "device-unknown"
    again = Terminal(shared_house.http, shared_house.url, shared_house.clock)
    again.key = terminal.key
    assert (await again.enrol(replaced.enrolment_code)).problem == "key-reused"
    again.key = DeviceKey.generate(os.urandom)
    assert (await again.enrol(replaced.enrolment_code)).status == 201
    assert again.device_id == terminal.device_id


@ON_ONE_LOOP
async def test_a_companys_settings_and_link_are_followed(shared_house: House) -> None:
    companies, terminal = shared_house.gateway.administration.companies, await shared_house.terminal()
    await companies.update(shared_house.company_id, {"name": "Rosenthal & Co", "timezone": "Asia/Tokyo"}, actor="cli")
    await shared_house.told()
    device = (await terminal.device()).body
    assert device["company"] == {"name": "Rosenthal & Co", "timezone": "Asia/Tokyo", "locale": "de"}


def ending(seq: int, kind: str, subject: str, **detail: object) -> TrustChange:
    return TrustChange(seq=seq, kind=kind, subject=subject, detail=detail, at=0.0)


@ON_ONE_LOOP
async def test_only_what_ends_sessions_ends_them_and_only_those_begun_before(shared_house: House) -> None:
    endings = Endings()
    async with shared_house.gateway.administration.database.read() as connection:
        await endings.follow(
            connection,
            [
                ending(5, kinds.PERSON, "ada"),
                ending(6, kinds.DEVICE, "door"),
                ending(7, kinds.COMPANY, "renamed"),
                ending(8, kinds.COMPANY, "rotated", link=True),
                ending(9, kinds.LOCKOUT, "bo"),
                ending(3, kinds.PERSON, "ada"),
            ],
        )
    assert endings.has_ended(4, "ada")
    assert endings.has_ended(4, "somebody", "ada")
    assert not endings.has_ended(5, "ada")
    assert endings.has_ended(5, "door")
    assert not endings.has_ended(0, "renamed")
    assert endings.has_ended(7, "rotated")
    assert not endings.has_ended(0, "bo")


async def test_endings_survive_a_restart_of_the_gateway(tmp_path: Path, redis_server: RedisServer) -> None:
    """Redis still holds the sessions; the starting process reads again who was ended."""
    shared = {"redis_url": redis_server.url}
    async with open_house(tmp_path / "data", **shared) as house:
        ended, going_on = await house.person("0101"), await house.person("0102")
        phones = [house.phone(), house.phone()]
        terminal = await house.terminal()
        await phones[0].sign_in("0101", ended.pin)
        await phones[1].sign_in("0102", going_on.pin)
        await terminal.sign_in("0101", ended.pin)
        people = house.gateway.administration.people
        await people.set_active(ended.id, False, actor="cli")
        await people.set_active(ended.id, True, actor="cli")
    async with open_house(tmp_path / "data", port=house.port, clock=house.clock, **shared) as again:
        phones[0].http = phones[1].http = terminal.http = again.http
        assert (await phones[0].status()).problem == "session-expired"
        assert (await phones[1].status()).status == 200
        assert (await terminal.signed("GET", f"{KIOSK}/status", token=terminal.token)).problem == "session-expired"


async def test_a_lock_cleared_while_redis_was_away_is_cleared_when_it_returns(
    tmp_path: Path, own_redis_server: RedisServer
) -> None:
    """Paused, not stopped: a Redis that forgot everything would have nothing to clear."""
    async with open_house(tmp_path / "data", redis_url=own_redis_server.url) as house:
        person, phone = await house.person("0101"), house.phone()
        for _ in range(5):
            await phone.sign_in("0101", "481516")
        own_redis_server.pause()
        try:
            lockouts = house.gateway.administration.lockouts
            assert len(await lockouts.clear_all(house.company_id, actor="cli")) == 1
            await house.told()
            assert house.gateway.feed.is_fresh, "a Redis that hangs never delays the feed"
        finally:
            own_redis_server.resume()
        async with asyncio.timeout(10):
            await house.gateway.cleared_locks.settled()
        assert (await phone.sign_in("0101", person.pin)).status == 200


async def test_a_lock_cleared_beside_a_gateway_that_died_is_cleared_by_the_next(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    shared = {"redis_url": redis_server.url}
    async with open_house(tmp_path / "data", **shared) as house:
        person, phone = await house.person("0101"), house.phone()
        for _ in range(5):
            await phone.sign_in("0101", "481516")
        await house.gateway.feed.stop()
        await house.gateway.administration.lockouts.clear_all(house.company_id, actor="cli")
    async with open_house(tmp_path / "data", port=house.port, **shared) as again:
        await again.gateway.cleared_locks.settled()
        phone.http = again.http
        assert (await phone.sign_in("0101", person.pin)).status == 200
