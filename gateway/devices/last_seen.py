"""When each terminal was last heard of, by any request that passed the gate.

A stamp must not wait for it, and a busy terminal must not cost a write per request: the latest moment of each terminal
is noted in memory and written down for all of them together now and then. What a killed process had noted is lost,
which costs at most that much accuracy.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from gateway.background import BackgroundTask
from storage import device_sightings
from storage.errors import StorageError

if TYPE_CHECKING:
    from storage.database import Database

WRITE_SECONDS: Final = 15.0
"""How exactly it is known; a terminal counts as silent after minutes."""

log = structlog.get_logger(__name__)


class LastSeen:
    """Notes and writes down. `note` costs one entry in a dictionary."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, float] = {}
        self._task = BackgroundTask(self._run, "last-seen")

    def note(self, device_id: str, at: float) -> None:
        """A terminal was heard of at `at`, in Unix seconds."""
        self._noted[device_id] = at

    async def start(self) -> None:
        """Begin to write down."""
        self._task.start()

    async def stop(self) -> None:
        """Write down what is noted, and end."""
        await self._task.stop()
        await self.write_down()

    async def write_down(self) -> None:
        """Write what was noted since the last time. While the database is away it stays noted."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            async with self._database.write() as connection:
                await device_sightings.seen_many(connection, noted)
        except BaseException as error:  # also when it is ended in the middle: `stop` writes once more
            self._noted = noted | self._noted
            if not isinstance(error, StorageError):
                raise
            log.warning("when terminals were last seen could not be written", cause=str(error))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write_down()
