"""`stampgate device revoke` beside gateways that run: what SQL says about trust is true everywhere within a second."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gateway.cli import main
from tests.faults.site import Site, open_site
from tests.gateway.house import House, open_house, serving
from tests.gateway.serving_process import stampgate
from tests.gateway.terminal import Terminal
from tests.gateway.waiting import DEADLINE_SECONDS, until
from tests.servers.databases import fresh_url

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.redis import RedisServer

PROMISED_SECONDS = 1.0
TERMINALS = 50


async def refused_after(terminal: Terminal, revoked: asyncio.Event) -> float:
    """Ask again and again after the revocation; return the seconds from it until the first refusal."""
    await revoked.wait()
    started = time.monotonic()
    await asyncio.sleep(0.1)  # a question at once would mostly be too early, and so many of them delay the news
    reply = await terminal.device()
    while reply.status == 200:
        assert time.monotonic() - started < DEADLINE_SECONDS
        await asyncio.sleep(0.1)
        reply = await terminal.device_again(reply)
    assert reply.problem == "device-revoked"
    seconds = time.monotonic() - started
    assert (await terminal.device()).problem == "device-revoked"
    return seconds


async def test_a_terminal_revoked_on_the_command_line_is_refused_within_a_second_50_times_of_50(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    async with open_site(data) as site:
        *terminals, last = await _terminals(site, TERMINALS + 1)
        for terminal in (*terminals[::10], last):
            assert (await terminal.device()).status == 200
        revoked = [asyncio.Event() for _ in terminals]
        waiting = [asyncio.create_task(refused_after(*pair)) for pair in zip(terminals, revoked, strict=True)]
        for terminal, event in zip(terminals, revoked, strict=True):
            command = ["--data-dir", str(data), "device", "revoke", terminal.device_id, "--yes", "--reason", "stolen"]
            assert await asyncio.to_thread(main, command) == 0
            event.set()
        seconds = await asyncio.gather(*waiting)

        # The program does the same from a process of its own, by the terminal's name.
        revoked_there = asyncio.Event()
        refused = asyncio.create_task(refused_after(last, revoked_there))
        command = ["device", "revoke", f"Door {TERMINALS}", "--yes", "--data-dir", str(data)]
        done = await asyncio.to_thread(stampgate, *command)
        revoked_there.set()
        assert (done.returncode, done.stderr) == (0, "")
        assert await refused < PROMISED_SECONDS
    assert len(seconds) == TERMINALS
    assert max(seconds) < PROMISED_SECONDS, sorted(seconds)[-5:]
    assert capsys.readouterr().out.count("is revoked") == TERMINALS


async def test_two_gateways_on_one_database_both_refuse_what_either_learns(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    async with fresh_url("postgresql", tmp_path) as url:
        shared = {"database_url": url, "redis_url": redis_server.url}
        async with open_house(data, **shared) as house, serving(data, **shared) as (_, other_url):  # type: ignore[arg-type]
            monkeypatch.setenv("STAMPGATE_DATABASE_URL", url)
            for at in range(2):
                terminal = await house.terminal(label=f"Door {at}")
                elsewhere = _at(terminal, other_url)
                await _accepted(elsewhere)
                revoked = asyncio.Event()
                waiting = [asyncio.create_task(refused_after(one, revoked)) for one in (terminal, elsewhere)]
                command = ["--data-dir", str(data), "device", "revoke", terminal.device_id, "--yes"]
                assert await asyncio.to_thread(main, command) == 0
                revoked.set()
                assert max(await asyncio.gather(*waiting)) < PROMISED_SECONDS


async def test_a_flushed_redis_brings_no_revoked_terminal_back(tmp_path: Path, redis_server: RedisServer) -> None:
    async with open_house(tmp_path / "data", redis_url=redis_server.url) as house:
        terminal = await house.terminal()
        await house.gateway.administration.devices.revoke(terminal.device_id, actor="cli")
        await house.told()
        redis_server.flush()
        assert (await terminal.device()).problem == "device-revoked"
    async with open_house(tmp_path / "data", redis_url=redis_server.url, port=house.port) as again:
        terminal.http = again.http
        assert (await terminal.device()).problem == "device-revoked"


async def test_what_ends_a_terminals_trust_ends_the_session_that_was_open_there(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    await terminal.sign_in("0101", person.pin)
    devices = house.gateway.administration.devices
    await devices.suspend(terminal.device_id, actor="cli")
    await house.told()
    assert (await terminal.act("clock_in")).problem == "device-suspended"
    await devices.resume(terminal.device_id, actor="cli")
    await house.told()
    assert (await terminal.act("clock_in")).problem == "session-expired"
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    await devices.revoke(terminal.device_id, actor="cli")
    await house.told()
    assert (await terminal.act("clock_in")).problem == "device-revoked"
    assert await house.stamps() == []


async def test_a_terminals_networks_hold_from_the_next_request_on_and_its_key_expires_after_90_days(
    house: House,
) -> None:
    terminal = await house.terminal()
    devices = house.gateway.administration.devices
    await devices.update(terminal.device_id, {"allowed_networks": ["10.1.0.0/16"]}, actor="cli")
    await house.told()
    reply = await terminal.device()
    assert (reply.status, reply.problem) == (403, "network-not-allowed")
    await devices.update(terminal.device_id, {"allowed_networks": ["127.0.0.0/8"]}, actor="cli")
    await house.told()
    assert (await terminal.device()).status == 200
    house.clock.move(90 * 86400 - 60)
    assert (await terminal.device()).status == 200
    house.clock.move(120)
    reply = await terminal.device()
    assert (reply.status, reply.problem) == (403, "key-expired")


async def test_an_enrolment_nobody_approves_ends_after_half_an_hour(house: House) -> None:
    terminal = await house.pending_terminal()
    house.clock.move(29 * 60)
    assert (await terminal.device()).body["state"] == "pending"
    house.clock.move(2 * 60)
    assert (await terminal.device()).problem == "device-unknown"


async def _terminals(site: Site, count: int) -> list[Terminal]:
    terminals = await site.approved_terminals(count)
    await site.seen(terminals[-1], "active")
    return terminals


def _at(terminal: Terminal, url: str) -> Terminal:
    """The same terminal, speaking to another gateway."""
    other = Terminal(terminal.http, url, terminal.clock)
    other.key, other.device_id = terminal.key, terminal.device_id
    return other


async def _accepted(terminal: Terminal) -> None:
    async def answered() -> bool:
        return (await terminal.device()).status == 200

    await until(answered)
