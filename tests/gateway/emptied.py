"""A house that many tests share: each of them finds the company in it, and nothing else of the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.companies import companies
from storage.schema import metadata

if TYPE_CHECKING:
    from tests.gateway.house import House

DAY = 86_400

KEPT = {"secrets_binding", "phone_links", "trust_counter", "trust_changes"}
"""What the gateway itself knows in memory, or goes on counting."""


async def emptied(house: House) -> House:
    """Forget everybody and everything but the company, and begin when no lock, quota or session lasts any more."""
    administration = house.gateway.administration
    await house.gateway.journal.drain()
    async with administration.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is companies:
                await connection.execute(table.delete().where(table.c.id != house.company_id))
            elif table.name not in KEPT:
                await connection.execute(table.delete())
    house.people.clear()
    house.clock.move(3 * DAY)
    return house
