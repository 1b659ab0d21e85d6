"""Posters that are scanned although they are not valid: told apart for the company, never for whoever scans."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest

from storage import audit
from storage.errors import StorageUnavailable
from tests.gateway.house import open_house, serving
from tests.gateway.pages.console.visitor import visitor_as
from tests.gateway.phone import Phone

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.app import Gateway
    from storage.audit import AuditEvent
    from tests.gateway.house import House

HOUR = 3600.0
DAY = 86400.0


@pytest.fixture
async def old(house: House) -> Phone:
    """A phone that scans a poster which was replaced since."""
    phone = house.phone()
    await house.gateway.administration.companies.rotate_link(house.company_id, actor="cli")
    await house.told()
    return phone


async def scan(phone: Phone, times: int) -> None:
    """Every other time somebody also tries to sign in."""
    for at in range(times):
        reply = await (phone.sign_in("0101", "481516") if at % 2 else phone.company())
        assert (reply.status, reply.problem) == (404, "link-not-valid")


async def reported(house: House, *gateways: Gateway) -> list[AuditEvent]:
    """What is written down once every gateway had its turn, oldest first."""
    for gateway in gateways or (house.gateway,):
        await gateway.dead_posters.write_down()
    async with house.gateway.administration.database.read() as connection:
        return (await audit.list_(connection, None, "public_link.refused", limit=1000))[::-1]


def counted(house: House, why: str) -> float:
    return house.gateway.metrics.registry.get_sample_value("stampgate_dead_posters_total", {"why": why}) or 0.0


async def test_scans_of_an_old_poster_are_one_event_an_hour_that_names_it(house: House, old: Phone) -> None:
    await scan(old, 7)
    (first,) = await reported(house)
    assert (first.company_id, first.actor, first.subject) == (house.company_id, "phone", f"company:{house.company_id}")
    assert (first.detail["link_version"], first.detail["why"]) == (1, "replaced")
    assert first.request_id
    await scan(old, 60)
    house.clock.move(HOUR - 10)
    await scan(old, 3)
    assert await reported(house) == [first]
    house.clock.move(11)
    events = await reported(house)
    assert [event.detail["link_version"] for event in events] == [1, 1]
    assert sum(event.detail["scans"] for event in events) == 70, "none is lost, none told twice"
    house.clock.move(10 * HOUR)
    assert await reported(house) == events, "nothing new to tell"
    assert counted(house, "replaced") == 70
    assert all(old.link not in str(event) for event in events)


async def test_each_poster_has_its_own_hour_and_a_switched_off_one_says_so(house: House, old: Phone) -> None:
    companies = house.gateway.administration.companies
    present = house.phone()
    present.link = (await companies.rotate_link(house.company_id, actor="cli")).token
    await companies.update(house.company_id, {"public_stamp_enabled": False}, actor="cli")
    await house.told()
    await scan(old, 1)
    await scan(present, 1)
    told = {(event.detail["link_version"], event.detail["why"]) for event in await reported(house)}
    assert told == {(1, "replaced"), (3, "switched-off")}
    await companies.update(house.company_id, {"public_stamp_enabled": True}, actor="cli")
    await companies.disable_link(house.company_id, actor="cli")
    await house.told()
    await scan(present, 1)
    house.clock.move(HOUR + 1)
    assert (await reported(house))[-1].detail == {"link_version": 3, "why": "replaced", "scans": 1}


async def test_invented_links_are_in_the_metrics_and_fill_no_audit_trail(house: House) -> None:
    before = await house.audit_names()
    phones = [Phone(house.http, house.url, secrets.token_urlsafe(32)) for _ in range(20)]
    await asyncio.gather(*(scan(phone, 2) for phone in phones))
    assert await reported(house) == []
    assert await house.audit_names() == before
    assert counted(house, "unknown") == 40
    assert len(house.gateway.dead_posters._tallies) == 0


async def test_two_gateways_tell_of_a_poster_once_an_hour_together(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_house(data) as house, serving(data, clock=house.clock) as (other, url):
        house.others.append(other)
        here, there = house.phone(), Phone(house.http, url, house.link)
        await house.gateway.administration.companies.rotate_link(house.company_id, actor="cli")
        await house.told()
        for hours in range(1, 4):
            await asyncio.gather(scan(here, 10), scan(there, 10))
            assert len(await reported(house, house.gateway, other)) == hours
            house.clock.move(HOUR + 1)


async def test_what_could_not_be_written_is_told_later(
    house: House, old: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = house.gateway.administration.database

    def away() -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", away)
        await scan(old, 5)
        await house.gateway.dead_posters.write_down()
    assert [event.detail["scans"] for event in await reported(house)] == [5]


async def test_a_gateway_that_stops_tells_what_is_due(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_house(data) as house:
        async with serving(data, clock=house.clock) as (other, url):
            phone = Phone(house.http, url, house.link)
            await house.gateway.administration.companies.rotate_link(house.company_id, actor="cli")
            house.others.append(other)
            await house.told()
            await scan(phone, 1)
        assert [event.detail["scans"] for event in await reported(house)] == [1]


async def test_the_first_page_says_for_a_day_that_an_old_poster_still_hangs(house: House, old: Phone) -> None:
    english, german = await visitor_as(house, "it"), await visitor_as(house, "owner", "de")
    told = (
        (english, "Old poster in use Poster 1 was scanned within the last day, but is not valid any more"),
        (german, "Alter Aushang benutzt Aushang 1 wurde in den letzten 24 Stunden gescannt, gilt aber nicht mehr"),
    )
    for visitor, words in told:
        assert words not in (await visitor.get("/console")).words
    await scan(old, 1)
    (event,) = await reported(house)
    for visitor, words in told:
        assert words in (await visitor.get("/console")).words
    assert "Poster used that is not valid" in (await english.get(f"/console/audit/{event.id}")).words
    assert "Ungültigen Aushang benutzt" in (await german.get(f"/console/audit/{event.id}")).words
    house.clock.move(DAY + 1)
    await english.sign_in("it@rosenthal.example")
    await german.sign_in("owner@rosenthal.example")
    for visitor, words in told:
        assert words not in (await visitor.get("/console")).words
