"""When a terminal was last heard of: by any request, in one write for many, and never in the way of a stamp."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.devices import last_seen
from gateway.devices.last_seen import LastSeen
from storage import device_sightings
from storage.errors import StorageUnavailable
from tests.gateway.site_fixtures import on_both
from tests.gateway.waiting import until

if TYPE_CHECKING:
    import pytest

    from gateway.administration import Administration
    from storage.companies import Company
    from tests.gateway.house import House


async def seen(site: Administration) -> dict[str, float | None]:
    return {device.label: device.last_seen_at for device in await site.devices.list_(None)}


async def two_devices(site: Administration, company: Company) -> tuple[str, str]:
    front, back = [await site.devices.register(company.id, label, actor="cli") for label in ("Front", "Back")]
    return front.device.id, back.device.id


async def test_the_latest_moment_of_each_is_written_at_once_for_all(site: Administration, company: Company) -> None:
    front, back = await two_devices(site, company)
    noting = LastSeen(site.database)
    for at in (100.0, 101.0, 102.5):
        noting.note(front, at)
    noting.note(back, 99.0)
    await noting.write_down()
    assert await seen(site) == {"Front": 102.5, "Back": 99.0}


@on_both
async def test_an_older_moment_of_another_gateway_does_not_win(site: Administration, company: Company) -> None:
    front, _ = await two_devices(site, company)
    one, other = LastSeen(site.database), LastSeen(site.database)
    one.note(front, 200.0)
    other.note(front, 150.0)
    await one.write_down()
    await other.write_down()
    assert (await seen(site))["Front"] == 200.0


async def test_what_could_not_be_written_stays_noted(
    site: Administration, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    front, back = await two_devices(site, company)
    noting = LastSeen(site.database)
    noting.note(front, 100.0)
    noting.note(back, 100.0)

    async def away(*_: object) -> None:
        noting.note(front, 101.0)  # meanwhile it goes on
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr("storage.device_sightings.seen_many", away)
        await noting.write_down()
    await noting.write_down()
    assert await seen(site) == {"Front": 101.0, "Back": 100.0}


@on_both
async def test_gateways_that_write_the_same_terminals_at_once_do_not_lock_each_other_out(
    site: Administration, company: Company
) -> None:
    ids = [(await site.devices.register(company.id, f"Door {at}", actor="cli")).device.id for at in range(12)]
    noting = [LastSeen(site.database) for _ in range(4)]
    for at in range(5):
        for turn, one in enumerate(noting):
            for device_id in ids if turn % 2 else reversed(ids):
                one.note(device_id, 100.0 + at)
        await asyncio.gather(*(one.write_down() for one in noting))
    assert set((await seen(site)).values()) == {104.0}


async def test_a_signed_request_of_any_kind_counts_and_a_refused_one_does_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_seen, "WRITE_SECONDS", 0.01)
    writing = house.gateway.last_seen
    await writing.stop()
    await writing.start()
    site, terminal = house.gateway.administration, await house.terminal(label="Front")
    await house.person("0101")
    house.clock.move(30)
    asked = house.clock()
    await terminal.sign_in("0101", "907311")

    async def written() -> bool:
        at = (await seen(site))["Front"]
        return at is not None and at >= asked - 0.001

    await until(written)
    await site.devices.suspend(terminal.device_id, actor="cli", reason="test")
    await house.told()
    await writing.write_down()
    before = await seen(site)
    house.clock.move(30)
    assert (await terminal.sign_in("0101", "907311")).status == 403
    await writing.write_down()
    assert await seen(site) == before


async def test_a_gateway_that_stops_writes_what_it_has_noted(house: House) -> None:
    terminal = await house.terminal(label="Front")
    await house.person("0101")
    await terminal.sign_in("0101", "907311")
    await house.gateway.last_seen.stop()
    assert (await seen(house.gateway.administration))["Front"] is not None


async def test_what_is_being_written_when_the_gateway_stops_is_not_lost(
    site: Administration, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    front, _ = await two_devices(site, company)
    monkeypatch.setattr(last_seen, "WRITE_SECONDS", 0.0)
    noting, seen_many, writing = LastSeen(site.database), device_sightings.seen_many, asyncio.Event()

    async def slowly(*arguments: Any) -> None:
        if not writing.is_set():
            writing.set()
            await asyncio.Event().wait()
        await seen_many(*arguments)

    monkeypatch.setattr(device_sightings, "seen_many", slowly)
    noting.note(front, 100.0)
    await noting.start()
    await writing.wait()
    await noting.stop()
    assert (await seen(site))["Front"] == 100.0
