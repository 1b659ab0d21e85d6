"""When terminals were last heard of, and what they said about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, or_, update

from storage.devices import devices
from storage.schema import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a terminal said about itself in a heartbeat, and when."""

    device_id: str
    last_seen_at: float
    client_name: str | None = None
    client_version: str | None = None
    client_platform: str | None = None
    clock_offset_ms: int | None = None


_SEEN: Final = (
    update(devices)
    .where(devices.c.id == bindparam("device"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("last_seen_at", "client_name", "client_version", "client_platform", "clock_offset_ms")
        }
    )
)
_HEARD: Final = (
    update(devices)
    .where(
        devices.c.id == bindparam("device"),
        or_(devices.c.last_seen_at.is_(None), devices.c.last_seen_at < bindparam("at", type_=Instant)),
    )
    .values(last_seen_at=bindparam("at", type_=Instant))
)


async def touch_many(connection: AsyncConnection, sightings: Sequence[Sighting]) -> None:
    """Write down heartbeats, in the order of device ids so that two gateways never wait for each other."""
    if sightings:
        rows = [
            {
                "device": sighting.device_id,
                "new_last_seen_at": sighting.last_seen_at,
                "new_client_name": sighting.client_name,
                "new_client_version": sighting.client_version,
                "new_client_platform": sighting.client_platform,
                "new_clock_offset_ms": sighting.clock_offset_ms,
            }
            for sighting in sorted(sightings, key=lambda sighting: (sighting.device_id, sighting.last_seen_at))
        ]
        await connection.execute(_SEEN, rows)


async def seen_many(connection: AsyncConnection, seen: Mapping[str, float]) -> None:
    """Write down when devices were last heard of, by id; never back in time. In the order of `touch_many`."""
    rows = [{"device": device_id, "at": at} for device_id, at in sorted(seen.items())]
    if rows:
        await connection.execute(_HEARD, rows)
