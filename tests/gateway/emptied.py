"""What many tests share: each of them finds a gateway as it was at the start, and nothing of the test before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storage.companies import companies
from storage.schema import metadata

if TYPE_CHECKING:
    from gateway.administration import Administration
    from tests.gateway.house import House

DAY = 86_400

KEPT = {"secrets_binding", "phone_links", "trust_counter", "trust_changes"}
"""What the gateway itself knows in memory, or goes on counting."""


async def emptied(house: House) -> House:
    """Forget all but the company, and begin when no lock, quota or session of before lasts any more."""
    await house.gateway.journal.drain()
    await _forget(house.gateway.administration, KEPT, house.company_id)
    house.people.clear()
    house.clock.move(3 * DAY)
    return house


async def emptied_site(site: Administration) -> Administration:
    """Forget everything: nothing of it is in memory here."""
    await _forget(site, {"secrets_binding", "trust_counter"})
    return site


async def _forget(site: Administration, kept: set[str], company_id: str = "") -> None:
    """All in one message to the database: so it costs a fraction of what opening a gateway does."""
    statements = [
        f"DELETE FROM {table.name}" + (f" WHERE id != '{company_id}'" if table is companies else "")
        for table in reversed(metadata.sorted_tables)
        if table.name not in kept
    ]
    async with site.database.write() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if connection.dialect.name == "sqlite":  # its scripts end the transaction that they find
            await driver.executescript(";".join(["BEGIN IMMEDIATE", *statements, "COMMIT"]))
        else:
            await driver.execute(";".join(statements))
