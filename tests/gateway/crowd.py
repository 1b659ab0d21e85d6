"""Many people or terminals at once: written in one transaction, the PIN that all people have hashed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.devices.lifecycle import KEY_LIFETIME, DeviceState
from gateway.trust_feed import kinds
from storage import devices, trust_changes, users
from storage.devices import Device
from storage.users import User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.administration import Administration
    from tests.gateway.terminal import Terminal


async def hire(site: Administration, company_id: str, numbers: Iterable[str], pin: str) -> list[str]:
    """Add people with these personnel numbers; return their ids."""
    record, now, added = site.pins.hash(pin), site.clock(), []
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
            added.append(user.id)
    return added


async def put_up(site: Administration, company_id: str, terminals: Iterable[Terminal]) -> None:
    """Let these terminals in, as if each had been registered, enrolled and approved; they are "Door 0" and so on."""
    now = site.clock()
    async with site.database.write() as connection:
        for at, terminal in enumerate(terminals):
            device = Device(
                id=site.new_id(),
                company_id=company_id,
                label=f"Door {at}",
                location="",
                state=DeviceState.ACTIVE.value,
                created_at=now,
                approved_at=now,
            )
            await devices.add(connection, device)
            await devices.add_key(
                connection,
                device.id,
                keyid=terminal.key.keyid,
                public_key=terminal.key.public_key,
                state="current",
                created_at=now,
                expires_at=now + KEY_LIFETIME,
            )
            await trust_changes.append(connection, kinds.DEVICE, device.id, {}, now)
            terminal.device_id = device.id
