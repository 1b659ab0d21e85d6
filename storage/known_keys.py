"""Every key a terminal ever had, and what becomes of it: offered, current, superseded, blocked for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select, update

from storage.devices import add_key, device_keys, devices

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """One key, whatever became of it, with what the gate must know about its device."""

    keyid: str
    public_key: bytes
    key_state: str
    created_at: float
    expires_at: float
    superseded_at: float | None
    device_id: str
    company_id: str
    state: str
    label: str
    location: str
    allowed_networks: tuple[str, ...]
    enrolment_id: str | None
    enrolment_started_at: float | None


_KEYS: Final = select(
    device_keys.c.keyid,
    device_keys.c.public_key,
    device_keys.c.state.label("key_state"),
    device_keys.c.created_at,
    device_keys.c.expires_at,
    device_keys.c.superseded_at,
    device_keys.c.device_id,
    devices.c.company_id,
    devices.c.state,
    devices.c.label,
    devices.c.location,
    devices.c.allowed_networks,
    devices.c.enrolment_id,
    devices.c.enrolment_started_at,
).join_from(device_keys, devices)


def _known_key(row: Row[*tuple[Any, ...]]) -> KnownKey:
    values = dict(row._mapping)
    values["allowed_networks"] = tuple(values["allowed_networks"])
    return KnownKey(**values)


async def all_(connection: AsyncConnection) -> list[KnownKey]:
    """Return every key there ever was, blocked ones included."""
    return [_known_key(row) for row in await connection.execute(_KEYS)]


async def of_device(connection: AsyncConnection, device_id: str) -> list[KnownKey]:
    """Return every key of one terminal, blocked ones included."""
    return [_known_key(row) for row in await connection.execute(_KEYS.where(device_keys.c.device_id == device_id))]


async def block(connection: AsyncConnection, device_id: str) -> int:
    """Block every key of a terminal for ever and return how many were in use."""
    result = await connection.execute(
        update(device_keys)
        .where(device_keys.c.device_id == device_id, device_keys.c.state != "blocked")
        .values(state="blocked")
    )
    return result.rowcount


async def offer(
    connection: AsyncConnection,
    device_id: str,
    *,
    keyid: str,
    public_key: bytes,
    offered_at: float,
    expires_at: float,
) -> None:
    """Write down the next key of a terminal; it counts from its first use on (`take_over`).

    Raises (at the end of the transaction's block) `Conflict` on `device_keys.keyid` when the key was ever seen.
    """
    await add_key(
        connection,
        device_id,
        keyid=keyid,
        public_key=public_key,
        state="offered",
        created_at=offered_at,
        expires_at=expires_at,
    )


async def block_offers(connection: AsyncConnection, device_id: str) -> int:
    """Block for ever what a key change offered and nobody used yet; return how many keys that were."""
    result = await connection.execute(
        update(device_keys)
        .where(device_keys.c.device_id == device_id, device_keys.c.state == "offered")
        .values(state="blocked")
    )
    return result.rowcount


async def take_over(connection: AsyncConnection, device_id: str, keyid: str, at: float) -> None:
    """Make the offered key `keyid` a terminal's current one, first used at `at`, which supersedes the one before."""
    # In this order: the database lets a terminal have one current key at any moment.
    await connection.execute(
        update(device_keys)
        .where(device_keys.c.device_id == device_id, device_keys.c.state == "current")
        .values(state="superseded", superseded_at=at)
    )
    await connection.execute(
        update(device_keys)
        .where(device_keys.c.device_id == device_id, device_keys.c.keyid == keyid, device_keys.c.state == "offered")
        .values(state="current", first_used_at=at)
    )
