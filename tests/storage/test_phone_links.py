"""Links of all times, and of several gateways one that tells of a use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from storage import companies, phone_links
from storage.companies import Company
from storage.phone_links import PhoneLink
from tests.storage.rows import NOW, new_id

if TYPE_CHECKING:
    from storage.database import Database

HOUR = 3600.0


async def founded(database: Database) -> str:
    company = Company(id=new_id(), name="Rosenthal", timezone="Europe/Berlin", locale="de", created_at=NOW)
    async with database.write() as connection:
        await companies.add(connection, company)
    return company.id


async def test_every_link_is_remembered_under_its_number(database: Database) -> None:
    company = await founded(database)
    async with database.write() as connection:
        for link_hash in (b"a" * 32, b"b" * 32, None, b"c" * 32):
            await companies.set_link(connection, company, link_hash, NOW)
        assert await companies.set_link(connection, new_id(), b"d" * 32, NOW) is None
    async with database.read() as connection:
        assert await phone_links.all_(connection) == [
            PhoneLink(company, 1, b"a" * 32),
            PhoneLink(company, 2, b"b" * 32),
            PhoneLink(company, 4, b"c" * 32),
        ]


async def test_of_many_who_report_a_use_at_once_one_does(database: Database) -> None:
    company = await founded(database)
    async with database.write() as connection:
        await companies.set_link(connection, company, b"a" * 32, NOW)

    async def report(at: float) -> bool:
        async with database.write() as connection:
            return await phone_links.report(connection, company, 1, at, at - HOUR)

    for hour in range(3):
        assert sum(await asyncio.gather(*(report(NOW + hour * HOUR) for _ in range(8)))) == 1
    assert not await report(NOW + 3 * HOUR - 0.001)
    async with database.read() as connection:
        (link,) = await phone_links.reported_since(connection, company, NOW + 2 * HOUR)
        assert link.reported_at == NOW + 2 * HOUR
        assert await phone_links.reported_since(connection, company, NOW + 2 * HOUR + 1) == []
        assert await phone_links.reported_since(connection, new_id(), 0.0) == []
