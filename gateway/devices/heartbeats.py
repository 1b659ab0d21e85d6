"""What terminals tell about themselves each minute: one transaction for all that beat at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage import device_sightings
from storage.batching import Batcher
from storage.device_sightings import Sighting

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.devices.models import ClientInfo
    from storage.database import Database

BATCH_LIMIT: Final = 200
"""Heartbeats of one transaction: a site's terminals after a power cut."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One terminal at one moment. `at` in Unix seconds, `clock_offset_ms` its clock minus ours."""

    device_id: str
    at: float
    client: ClientInfo
    clock_offset_ms: int


class Heartbeats:
    """Records heartbeats. They change no trust and are not audited: the latest one replaces the one before."""

    def __init__(self, database: Database, observe: Callable[[int], None] | None = None) -> None:
        self._database = database
        self._batcher: Batcher[Heartbeat, None] = Batcher(
            self._flush, max_batch=BATCH_LIMIT, name="heartbeats", observe=observe
        )

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Return when the heartbeat is committed. Raises StorageUnavailable."""
        await self._batcher.submit(heartbeat)

    async def drain(self) -> None:
        """Finish what was accepted."""
        await self._batcher.drain()

    async def _flush(self, beats: list[Heartbeat]) -> list[Exception | None]:
        latest = {beat.device_id: beat for beat in beats}
        sightings = [
            Sighting(
                device_id=beat.device_id,
                last_seen_at=beat.at,
                client_name=beat.client.name,
                client_version=beat.client.version,
                client_platform=beat.client.platform,
                clock_offset_ms=beat.clock_offset_ms,
            )
            for beat in latest.values()
        ]
        async with self._database.write() as connection:
            await device_sightings.touch_many(connection, sightings)
        return [None] * len(beats)
