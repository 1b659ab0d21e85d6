"""What guesses from outside meet: the rule of source addresses, and the pause of a company."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gateway.cli import main
from storage import audit
from storage.ephemeral.pin_guard import Attempt, PinGuard, Reserved
from tests.gateway.house import House, open_house
from tests.gateway.pages.console.visitor import visitor_as

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage.ephemeral.pin_guard import Tier
    from tests.servers.redis import RedisServer

WRONG = "481516"
OFFICE = "203.0.113.7"


@pytest.fixture
async def proxied(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[House]:
    """A gateway behind a proxy on this machine, which tells the addresses of phones."""
    async with open_house(tmp_path / "data", trusted_proxies="127.0.0.0/8", redis_url=redis_server.url) as house:
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
    await nearly(proxied, 27, "2001:db8:1:2::/64")
    for at in range(3):
        reply = await proxied.phone(f"2001:db8:1:2::{at + 1:x}").sign_in(f"9{at:05}", WRONG)
        assert reply.problem == "login-failed"
    assert (await proxied.phone("2001:db8:1:2:ffff::1").sign_in("0101", person.pin)).problem == "login-throttled"
    assert (await proxied.phone("2001:db8:1:3::1").sign_in("0101", person.pin)).status == 200


async def test_without_a_trusted_proxy_nobody_can_choose_an_address(house: House) -> None:
    person = await house.person("0101")
    await nearly(house, 27, "127.0.0.1")
    for at in range(3):
        await house.phone(f"203.0.113.{at}").sign_in(f"9{at:05}", WRONG)
    assert (await house.phone("203.0.113.200").sign_in("0101", person.pin)).problem == "login-throttled"


async def test_a_client_cannot_put_an_address_before_the_proxys(proxied: House) -> None:
    person = await proxied.person("0101")
    await nearly(proxied, 27, OFFICE)
    for at in range(3):
        await proxied.phone(f"198.51.100.{at}, {OFFICE}").sign_in(f"9{at:05}", WRONG)
    assert (await proxied.phone(f"198.51.100.99, {OFFICE}").sign_in("0101", person.pin)).problem == "login-throttled"


async def test_the_hundredth_wrong_in_an_hour_pauses_a_company_and_no_kiosk(proxied: House) -> None:
    person, terminal = await proxied.person("0101"), await proxied.terminal()
    await nearly(proxied, 72)
    assert await guess(proxied, "203.0.113.1", 24, 72) == {"login-failed": 24}
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
    await trip(proxied)
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


async def nearly(house: House, wrong: int, source: str | None = None, device_id: str | None = None) -> None:
    """Have the guard count so many wrong tries, each at another number; without `source` each from another address."""
    guard, now = PinGuard(house.gateway.ephemeral), house.clock()
    for at in range(wrong):
        tier: Tier = "kiosk" if device_id else "phone"
        place = None if device_id else source or f"198.51.100.{at}"
        attempt = Attempt(f"counted-{at}", house.company_id, tier, f"{at:064x}", device_id, place)
        assert isinstance(await guard.reserve(attempt, now), Reserved)
        assert await guard.wrong(attempt, now) == []


async def trip(house: House) -> None:
    """Pause the company's phones by the last wrong tries of a hundred."""
    await nearly(house, 97)
    assert await guess(house, "203.0.113.1", 3) == {"login-failed": 3}


async def test_a_pause_is_on_the_first_page_in_both_languages_and_ended_there(proxied: House) -> None:
    person, site = await proxied.person("0101"), proxied.gateway.administration
    english, german = await visitor_as(proxied, "it"), await visitor_as(proxied, "hr", "de")
    assert "paused" not in (await english.get("/console")).words
    await trip(proxied)
    shown, shown_in_german = await english.get("/console"), await german.get("/console")
    whose, when = "Phones of the whole company", r".*\d\d:\d\d ?"  # past midnight there is a date before the time
    for page, words in (
        (shown, f"Phone stamping paused {whose} until {when}. Many wrong PINs within an hour: somebody may"),
        (shown, "Terminals go on. End the pause"),
        (shown_in_german, f"Stempeln am Handy pausiert Handys des ganzen Betriebs bis {when}. Viele falsche PINs"),
        (shown_in_german, "Die Terminals laufen weiter. Pause aufheben"),
        (await english.get("/console/phone"), f"Phone stamping is on ▲ Phone stamping paused until {when}"),
        (await english.get("/console/locks"), f"{whose} Phone Many wrong tries within an hour"),
    ):
        assert re.search(words, page.words), page.words
    path = re.search(r'action="(/console/locks/[^"]*/unlock)"><button aria-label="End the pause of phone', shown.text)
    assert path is not None
    assert "Nobody is locked out." in (await english.follow(await english.post(path[1]))).words
    await cleared(proxied)
    assert (await proxied.phone("203.0.113.91").sign_in("0101", person.pin)).status == 200
    assert "paused" not in (await english.get("/console")).words
    async with site.database.read() as connection:
        locks = [event for event in await audit.list_(connection, proxied.company_id) if event.name.startswith("pin.")]
    assert [(event.name, event.subject) for event in locks[:2]] == [
        ("pin.unlocked", f"company:{proxied.company_id}"),
        ("pin.locked", f"company:{proxied.company_id}"),
    ]
    assert locks[1].detail == {"tier": "phone", "scope": "company", "reason": "pause", "link_version": 1}
    sample = proxied.gateway.metrics.registry.get_sample_value
    assert sample("stampgate_locks_total", {"tier": "phone", "scope": "company", "reason": "pause"}) == 1
    assert sample("stampgate_logins_total", {"tier": "phone", "outcome": "wrong"}) == 3
    assert sample("stampgate_logins_total", {"tier": "phone", "outcome": "right"}) == 1


async def test_a_pause_is_listed_and_ended_on_the_command_line(
    proxied: House, capsys: pytest.CaptureFixture[str]
) -> None:
    person, here = await proxied.person("0101"), str(proxied.gateway.administration.settings.data_dir)
    await trip(proxied)
    for command, said in (
        (("lockout", "list"), ("phones of the whole company", "phone", "pause")),
        (("lockout", "list", "--json"), ('"scope": "company"', '"reason": "pause"', '"until": "20')),
        (("lockout", "clear", "--all"), ("1 unlocked.",)),
        (("lockout", "list"), ("Nobody is locked.",)),
    ):
        assert await asyncio.to_thread(main, ["--data-dir", here, *command]) == 0
        out = capsys.readouterr().out
        assert all(words in out for words in said), out
    await cleared(proxied)
    assert (await proxied.phone("203.0.113.91").sign_in("0101", person.pin)).status == 200


async def test_a_paused_terminal_is_named_on_the_first_page(house: House) -> None:
    terminal, visitor = await house.terminal(label="Gate 1"), await visitor_as(house, "hr")
    await nearly(house, 57, device_id=terminal.device_id)
    await asyncio.gather(*(terminal.sign_in(f"9{number:03}", WRONG) for number in range(3)))
    words = (await visitor.get("/console")).words
    assert re.search(r"Sign-in paused Gate 1 until .*\d\d:\d\d ?\. .* Other terminals go on\. End the pause", words)


async def cleared(house: House) -> None:
    """Return when what the feed says about locks has reached the guard."""
    await house.told()
    await house.gateway.cleared_locks.settled()
