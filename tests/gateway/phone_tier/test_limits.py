"""What guesses from outside meet: the rule of source addresses, and the pause of a company."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.gateway.house import House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WRONG = "481516"
OFFICE = "203.0.113.7"


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway behind a proxy on this machine, which tells the addresses of phones."""
    async with open_house(tmp_path / "data", trusted_proxies="127.0.0.0/8") as house:
        yield house


async def guess(house: House, address: str, times: int, first: int = 0) -> Counter[str]:
    phone = house.phone(address)
    replies = await asyncio.gather(*(phone.sign_in(f"9{first + at:05}", WRONG) for at in range(times)))
    return Counter(reply.problem for reply in replies)


async def test_thirty_wrong_from_one_address_space_its_tries_by_five_seconds(proxied: House) -> None:
    person = await proxied.person("0101")
    assert await guess(proxied, OFFICE, 30) == {"login-failed": 30}
    phone = proxied.phone(OFFICE)
    slowed = await phone.sign_in("0101", person.pin)
    assert (slowed.status, slowed.problem, slowed.headers["Retry-After"]) == (429, "login-throttled", "5")
    proxied.clock.move(6)
    assert (await phone.sign_in("0101", person.pin)).status == 200, "never a longer block: offices share one address"
    assert (await phone.sign_in("0101", person.pin)).problem == "login-throttled"
    assert (await proxied.phone("203.0.113.8").sign_in("0101", person.pin)).status == 200


async def test_an_ipv6_site_counts_as_one_address(proxied: House) -> None:
    person = await proxied.person("0101")
    for at in range(30):
        reply = await proxied.phone(f"2001:db8:1:2::{at + 1:x}").sign_in(f"9{at:05}", WRONG)
        assert reply.problem == "login-failed"
    assert (await proxied.phone("2001:db8:1:2:ffff::1").sign_in("0101", person.pin)).problem == "login-throttled"
    assert (await proxied.phone("2001:db8:1:3::1").sign_in("0101", person.pin)).status == 200


async def test_without_a_trusted_proxy_nobody_can_choose_an_address(house: House) -> None:
    person = await house.person("0101")
    for at in range(30):
        await house.phone(f"203.0.113.{at}").sign_in(f"9{at:05}", WRONG)
    assert (await house.phone("203.0.113.200").sign_in("0101", person.pin)).problem == "login-throttled"


async def test_a_client_cannot_put_an_address_before_the_proxys(proxied: House) -> None:
    person = await proxied.person("0101")
    for at in range(30):
        await proxied.phone(f"198.51.100.{at}, {OFFICE}").sign_in(f"9{at:05}", WRONG)
    assert (await proxied.phone(f"198.51.100.99, {OFFICE}").sign_in("0101", person.pin)).problem == "login-throttled"


async def test_the_hundredth_wrong_in_an_hour_pauses_a_company_and_no_kiosk(proxied: House) -> None:
    person, terminal = await proxied.person("0101"), await proxied.terminal()
    for at in range(4):
        assert await guess(proxied, f"203.0.113.{at}", 24, at * 24) == {"login-failed": 24}
    assert await guess(proxied, "203.0.113.90", 3, 96) == {"login-failed": 3}
    phone = proxied.phone("203.0.113.91")
    assert (await phone.sign_in("0101", person.pin)).status == 200, "99 do not pause yet"
    assert (await phone.sign_in("900099", WRONG)).problem == "login-failed"
    paused = await phone.sign_in("0101", person.pin)
    assert (paused.status, paused.problem) == (429, "login-throttled")
    assert 14 * 60 < int(paused.headers["Retry-After"]) <= 15 * 60
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    # Sessions that are open stay open: only signing in pauses.
    assert (await phone.act("clock_in")).status == 201
    proxied.clock.move(15 * 60 + 1)
    assert (await phone.sign_in("0101", person.pin)).status == 200
    assert (await proxied.audit_names()).count("pin.locked") == 1


async def test_the_pause_of_one_company_does_not_touch_another(proxied: House) -> None:
    await proxied.person("0101")
    for at in range(4):
        await guess(proxied, f"203.0.113.{at}", 25, at * 25)
    assert (await proxied.phone("203.0.113.91").sign_in("0101", WRONG)).problem == "login-throttled"
    companies, people = proxied.gateway.administration.companies, proxied.gateway.administration.people
    other = await companies.add("Elsewhere", actor="cli")
    await companies.update(other.id, {"public_stamp_enabled": True}, actor="cli")
    link = await companies.rotate_link(other.id, actor="cli")
    user = await people.add(other.id, full_name="Bo", personnel_number="0101", actor="cli")
    await people.set_pin(user.id, "907311", actor="cli")
    await proxied.told()
    proxied.link = link.token
    assert (await proxied.phone("203.0.113.91").sign_in("0101", "907311")).status == 200
