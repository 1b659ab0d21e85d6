"""Terminals, their enrolment codes and their keys."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage import device_sightings, devices, known_keys
from storage.database import Conflict
from storage.device_sightings import Sighting
from tests.storage.rows import NOW, add_company, add_device, new_id

if TYPE_CHECKING:
    from storage.database import Database

CODE = b"c" * 32


async def _enrol(database: Database, device_id: str, keyid: str = "k" * 43) -> None:
    async with database.write() as connection:
        await devices.start_enrolment(
            connection,
            device_id,
            enrolment_id="e" * 36,
            keyid=keyid,
            public_key=b"p" * 32,
            started_at=NOW,
            key_expires_at=NOW + 90,
            words_asked=(2, 5),
            client_name="kiosk",
            client_version="1",
            client_platform="linux",
        )


async def test_a_device_is_read_back_as_it_was_written(database: Database) -> None:
    company, other = await add_company(database), await add_company(database)
    plain = await add_device(database, company.id)
    full = await add_device(
        database,
        other.id,
        allowed_networks=("10.0.0.0/8",),
        code_hash=CODE,
        code_expires_at=NOW + 1,
        words_asked=(1, 3),
        wrong_tries=2,
        clock_offset_ms=-5_000_000_000,
        reason="lost",
    )
    async with database.read() as connection:
        assert await devices.get(connection, plain.id) == plain
        assert await devices.get(connection, full.id) == full
        assert await devices.get(connection, new_id()) is None
        assert await devices.by_code(connection, CODE) == full
        assert await devices.by_code(connection, b"x" * 32) is None
        assert await devices.list_(connection, company.id) == [plain]
        assert await devices.list_(connection, None) == [plain, full]
        assert await known_keys.all_(connection) == []


async def test_an_enrolment_gives_the_device_its_key(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="pending", allowed_networks=("::/0",))
    await _enrol(database, device.id)
    async with database.read() as connection:
        assert await devices.get(connection, device.id) == replace(
            device,
            enrolment_id="e" * 36,
            enrolment_started_at=NOW,
            words_asked=(2, 5),
            client_name="kiosk",
            client_version="1",
            client_platform="linux",
            keyid="k" * 43,
            public_key=b"p" * 32,
            key_created_at=NOW,
            key_expires_at=NOW + 90,
        )
        keys = await known_keys.all_(connection)
        assert keys == await known_keys.of_device(connection, device.id)
        assert keys == [
            known_keys.KnownKey(
                keyid="k" * 43,
                public_key=b"p" * 32,
                key_state="current",
                created_at=NOW,
                expires_at=NOW + 90,
                superseded_at=None,
                device_id=device.id,
                company_id=device.company_id,
                state="pending",
                label="Door",
                location="Hall",
                allowed_networks=("::/0",),
                enrolment_id="e" * 36,
                enrolment_started_at=NOW,
            )
        ]


async def _offer(database: Database, device_id: str, keyid: str) -> None:
    async with database.write() as connection:
        await known_keys.offer(
            connection, device_id, keyid=keyid, public_key=b"n" * 32, offered_at=NOW + 5, expires_at=NOW + 95
        )


async def test_an_offered_key_takes_over_from_the_current_one(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="active")
    await _enrol(database, device.id)
    await _offer(database, device.id, "n" * 43)
    async with database.read() as connection:
        before = await devices.get(connection, device.id)
    async with database.write() as connection:
        await known_keys.take_over(connection, device.id, "n" * 43, NOW + 7)
    async with database.read() as connection:
        after = await devices.get(connection, device.id)
        keys = {key.keyid: key for key in await known_keys.of_device(connection, device.id)}
    assert before is not None
    assert after is not None
    assert (before.keyid, before.key_expires_at) == ("k" * 43, NOW + 90)
    assert (after.keyid, after.key_created_at, after.key_expires_at) == ("n" * 43, NOW + 5, NOW + 95)
    assert (keys["k" * 43].key_state, keys["k" * 43].superseded_at) == ("superseded", NOW + 7)
    assert (keys["n" * 43].key_state, keys["n" * 43].superseded_at) == ("current", None)


async def test_an_offer_can_be_blocked_alone_and_every_key_at_once(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="active")
    await _enrol(database, device.id)
    for keyid in ("1" * 43, "2" * 43):
        await _offer(database, device.id, keyid)
        async with database.write() as connection:
            assert await known_keys.block_offers(connection, device.id) == 1
    await _offer(database, device.id, "3" * 43)
    async with database.write() as connection:
        await known_keys.take_over(connection, device.id, "3" * 43, NOW + 7)
        assert await known_keys.block_offers(connection, device.id) == 0
        assert await known_keys.block(connection, device.id) == 2


async def test_a_terminal_never_has_two_current_keys(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="active")
    await _enrol(database, device.id)
    with pytest.raises(Conflict):
        await _enrol(database, device.id, "n" * 43)


async def test_a_blocked_key_stays_known_and_is_never_taken_again(database: Database) -> None:
    company = await add_company(database)
    old, new = await add_device(database, company.id), await add_device(database, company.id)
    await _enrol(database, old.id)
    async with database.write() as connection:
        assert await known_keys.block(connection, old.id) == 1
        assert await known_keys.block(connection, old.id) == 0
        found = await devices.get(connection, old.id)
        assert found is not None
        assert found.keyid is None
        assert [key.key_state for key in await known_keys.of_device(connection, old.id)] == ["blocked"]
    with pytest.raises(Conflict, match=r"device_keys\.keyid"):
        await _enrol(database, new.id)


async def test_of_fifty_who_use_one_code_at_once_one_gets_the_device(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, code_hash=CODE, code_expires_at=NOW + 10)

    async def take() -> devices.Device | None:
        async with database.write() as connection:
            return await devices.take_code(connection, CODE, NOW)

    taken = [found for found in await asyncio.gather(*(take() for _ in range(50))) if found is not None]
    assert taken == [replace(device, state="pending")]


async def test_a_code_that_is_wrong_expired_or_replaced_gets_nothing(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, code_hash=CODE, code_expires_at=NOW)
    async with database.write() as connection:
        assert await devices.take_code(connection, b"x" * 32, NOW - 1) is None
        assert await devices.take_code(connection, CODE, NOW) is None
        assert await devices.set_code(connection, device.id, b"n" * 32, NOW + 5)
        assert await devices.take_code(connection, CODE, NOW - 1) is None
        assert await devices.take_code(connection, b"n" * 32, NOW) is not None
        assert not await devices.set_code(connection, device.id, b"m" * 32, NOW + 5)


async def test_two_devices_cannot_share_a_code(database: Database) -> None:
    company = await add_company(database)
    await add_device(database, company.id, code_hash=CODE)
    with pytest.raises(Conflict, match=r"devices\.code_hash"):
        await add_device(database, company.id, code_hash=CODE)


async def test_a_state_changes_only_from_where_it_may(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="pending", code_hash=CODE)
    async with database.write() as connection:
        assert not await devices.set_state(connection, device.id, ["active"], "suspended")
        assert await devices.set_state(
            connection, device.id, ["pending", "x"], "registered", code_hash=None, words_asked=None, reason="denied"
        )
        assert not await devices.set_state(connection, device.id, ["pending"], "active")
        assert await devices.get(connection, device.id) == replace(
            device, state="registered", code_hash=None, reason="denied"
        )
        with pytest.raises(TypeError, match="company_id"):
            await devices.set_state(connection, device.id, ["registered"], "active", company_id="x")


async def test_of_two_approvals_at_once_one_happens(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="pending")

    async def approve() -> bool:
        async with database.write() as connection:
            return await devices.set_state(connection, device.id, ["pending"], "active", approved_at=NOW)

    assert sorted(await asyncio.gather(approve(), approve())) == [False, True]


async def test_a_label_changes_in_any_state(database: Database) -> None:
    device = await add_device(database, (await add_company(database)).id, state="revoked")
    async with database.write() as connection:
        assert await devices.update(connection, device.id, label="New", allowed_networks=("10.0.0.0/8",))
        assert not await devices.update(connection, new_id(), label="New")
        assert await devices.get(connection, device.id) == replace(
            device, label="New", allowed_networks=("10.0.0.0/8",)
        )


async def test_wrong_words_are_counted_while_pending(database: Database) -> None:
    company = await add_company(database)
    pending = await add_device(database, company.id, state="pending")
    active = await add_device(database, company.id, state="active")
    async with database.write() as connection:
        assert [await devices.count_wrong_try(connection, pending.id) for _ in range(3)] == [1, 2, 3]
        assert await devices.count_wrong_try(connection, active.id) == 0


async def test_heartbeats_of_many_are_written_at_once_and_the_latest_stays(database: Database) -> None:
    company = await add_company(database)
    first, second = await add_device(database, company.id), await add_device(database, company.id)
    async with database.write() as connection:
        await device_sightings.touch_many(connection, [])
        await device_sightings.touch_many(
            connection,
            [
                Sighting(device_id=second.id, last_seen_at=NOW + 2, client_version="2", clock_offset_ms=-40),
                Sighting(device_id=first.id, last_seen_at=NOW + 1, client_name="a", client_platform="b"),
                Sighting(device_id=second.id, last_seen_at=NOW + 1, client_version="1", clock_offset_ms=3),
            ],
        )
        assert await devices.list_(connection, company.id) == [
            replace(first, last_seen_at=NOW + 1, client_name="a", client_platform="b"),
            replace(second, last_seen_at=NOW + 2, client_version="2", clock_offset_ms=-40),
        ]
