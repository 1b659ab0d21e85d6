"""Where a terminal may be: its own networks or the company's, judged on the address that trusted proxies vouch for."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.gateway.house import House, open_house, serving
from tests.gateway.terminal import KIOSK, Reply, Terminal
from tests.gateway.waiting import DEADLINE_SECONDS
from tests.servers.databases import fresh_url

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.redis import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMISED_SECONDS = 1.0
REFUSED = (403, "network-not-allowed")


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


async def _restricted(house: House, terminal: Terminal, *networks: str) -> None:
    devices = house.gateway.administration.devices
    await devices.update(terminal.device_id, {"allowed_networks": list(networks)}, actor="cli")
    await house.told()


async def _from(terminal: Terminal, **fields: str) -> Reply:
    """Ask for the device with further header fields, which no signature covers."""
    target = f"{KIOSK}/device"
    signed = terminal.headers("GET", target, nonce=await terminal.nonce())
    return await terminal.send("GET", target, b"", signed | {name.replace("_", "-"): at for name, at in fields.items()})


async def test_a_terminals_own_networks_replace_those_of_the_company_and_none_means_anywhere(house: House) -> None:
    terminal = await house.terminal()
    companies = house.gateway.administration.companies
    assert (await terminal.device()).status == 200
    await companies.update(house.company_id, {"kiosk_networks": ["10.0.0.0/8", "2001:db8::/32"]}, actor="cli")
    await house.told()
    reply = await terminal.device()
    assert (reply.status, reply.problem) == REFUSED
    await _restricted(house, terminal, "127.0.0.1")
    assert (await terminal.device()).status == 200
    await _restricted(house, terminal)
    assert (await terminal.device()).problem == "network-not-allowed"
    await companies.update(house.company_id, {"kiosk_networks": []}, actor="cli")
    await house.told()
    assert (await terminal.device()).status == 200


async def test_a_terminal_is_inside_its_network_however_that_is_written(house: House) -> None:
    for network in ("127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:127.0.0.0/104", "0.0.0.0/0"):
        terminal = await house.terminal(allowed_networks=["2001:db8::/32", network])
        assert (await terminal.device()).status == 200, network


async def test_who_is_no_trusted_proxy_cannot_choose_his_network(house: House) -> None:
    terminal = await house.terminal(allowed_networks=["10.0.0.0/8"])
    for fields in (
        {"X_Forwarded_For": "10.1.2.3"},
        {"Forwarded": "for=10.1.2.3"},
        {"X_Forwarded_For": "10.1.2.3", "Forwarded": "for=10.1.2.3", "X_Real_IP": "10.1.2.3"},
    ):
        reply = await _from(terminal, **fields)
        assert (reply.status, reply.problem) == REFUSED, json.dumps(fields)


@pytest.mark.parametrize(
    ("header", "inside", "outside", "ignored"),
    [
        (
            "x-forwarded-for",
            {"X_Forwarded_For": "192.0.2.1, 10.1.2.3"},
            {"X_Forwarded_For": "10.1.2.3, 192.0.2.1"},
            {"Forwarded": "for=10.1.2.3"},
        ),
        (
            "forwarded",
            {"Forwarded": 'for=192.0.2.1, for="[2001:db8::7]:4711"'},
            {"Forwarded": 'for="[2001:db8::7]", for=192.0.2.1'},
            {"X_Forwarded_For": "10.1.2.3"},
        ),
    ],
)
async def test_behind_a_trusted_proxy_the_address_it_appended_is_judged_and_nothing_left_of_it(
    tmp_path: Path, header: str, inside: dict[str, str], outside: dict[str, str], ignored: dict[str, str]
) -> None:
    options = {"trusted_proxies": "127.0.0.1", "forwarded_header": header}
    async with open_house(tmp_path / "data", **options) as house:
        terminal = await house.terminal(allowed_networks=["10.0.0.0/8", "2001:db8::/32"])
        assert (await _from(terminal, **inside)).status == 200
        for fields in (outside, ignored, {}):
            reply = await _from(terminal, **fields)
            assert (reply.status, reply.problem) == REFUSED, json.dumps(fields)


async def test_a_changed_network_holds_on_another_gateway_within_a_second(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with fresh_url("postgresql", tmp_path) as url:
        shared: dict[str, Any] = {"database_url": url, "redis_url": redis_server.url}
        async with (
            open_house(tmp_path / "data", **shared) as house,
            serving(tmp_path / "data", **shared) as (other, at),
        ):
            house.others.append(other)
            terminal = await house.terminal()
            elsewhere = Terminal(house.http, at, house.clock)
            elsewhere.key = terminal.key
            devices = house.gateway.administration.devices
            for networks, status in ((["10.0.0.0/8"], 403), ([], 200)) * 2:
                await devices.update(terminal.device_id, {"allowed_networks": networks}, actor="cli")
                changed = time.monotonic()
                while (await elsewhere.device()).status != status:
                    assert time.monotonic() - changed < DEADLINE_SECONDS
                    await asyncio.sleep(0.01)
                assert time.monotonic() - changed < PROMISED_SECONDS
