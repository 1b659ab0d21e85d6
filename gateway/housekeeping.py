"""What every gateway does now and then: forget what has no meaning any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from gateway.accounts.guard import KEEP_SECONDS as KEEP_TRIES_SECONDS
from gateway.background import BackgroundTask
from storage import account_guard, account_sessions, invitations, lockouts, password_resets, trust_changes
from storage.database import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.clock import Clock
    from storage.database import Database

FIRST_SECONDS: Final = 60.0
"""The first sweep comes when a starting gateway has nothing more urgent to do."""

EVERY_SECONDS: Final = 3600.0
"""How often rows that are too old are looked for."""

KEEP_TRUST_CHANGES_SECONDS: Final = 7 * 86400.0
"""A process that slept longer than this rebuilds what it holds from SQL instead of reading changes."""

KEEP_FAILURES_SECONDS: Final = 365 * 86400.0
"""Wrong PINs count for a year and are then forgotten (policy, lockout)."""

log = structlog.get_logger(__name__)


class Housekeeping:
    """Purges old rows soon after the start and then hourly. Several gateways may do so at once.

    `further`: what services forget with more than a deleted row.
    """

    def __init__(self, database: Database, clock: Clock, *further: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._clock = clock
        self._further = further
        self._task = BackgroundTask(self._run, "housekeeping")

    async def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def sweep(self) -> None:
        """Delete what is too old now. Raises `StorageError`."""
        now = self._clock()
        async with self._database.write() as connection:
            await trust_changes.purge(connection, now - KEEP_TRUST_CHANGES_SECONDS)
            await lockouts.purge(connection, now - KEEP_FAILURES_SECONDS)
            await account_sessions.purge(connection, now)
            await account_guard.purge(connection, now - KEEP_TRIES_SECONDS, now)
            await password_resets.purge(connection, now)
            await invitations.purge(connection, now)
        for forget in self._further:
            await forget()

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.sweep()
            except StorageError as error:
                log.warning("housekeeping could not finish", cause=str(error))
            await asyncio.sleep(EVERY_SECONDS)
