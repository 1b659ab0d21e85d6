"""Many people at once, all with one PIN: hashed once, written in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage import users
from storage.users import User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.administration import Administration


async def hire(site: Administration, company_id: str, numbers: Iterable[str], pin: str) -> None:
    """Add people with these personnel numbers."""
    record, now = site.pins.hash(pin), site.clock()
    async with site.database.write() as connection:
        for number in numbers:
            user = User(
                id=site.new_id(),
                company_id=company_id,
                full_name=f"Person {number}",
                role="employee",
                created_at=now,
                personnel_number=number,
                pin_set_at=now,
            )
            await users.add(connection, user, pin_record=record)
