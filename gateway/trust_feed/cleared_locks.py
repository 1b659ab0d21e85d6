"""Hands cleared locks on to the PIN guard's counters in Redis.

Clearing is idempotent by the trust change's number, so every process may do it and a starting one does it again:
a kill between SQL and Redis leaves nothing undone. While Redis is away the clearings wait here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from gateway.background import BackgroundTask
from gateway.trust_feed import kinds
from storage.ephemeral.connection import EphemeralUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from storage.ephemeral.pin_guard import PinGuard
    from storage.trust_changes import TrustChange

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 0.25
"""Between two tries while Redis is away."""


class ClearedLocks:
    """Follows the trust feed in a task of its own, so that a Redis that hangs never delays the feed."""

    def __init__(self, guard: PinGuard, clock: Clock) -> None:
        self._guard = guard
        self._clock = clock
        self._waiting: asyncio.Queue[TrustChange] = asyncio.Queue()
        self._task = BackgroundTask(self._run, "cleared-locks")

    async def follow(self, connection: AsyncConnection, changes: Sequence[TrustChange]) -> None:
        """Queue the cleared locks among `changes`."""
        for change in changes:
            if change.kind == kinds.LOCKOUT:
                self._waiting.put_nowait(change)

    async def start(self) -> None:
        """Begin to clear."""
        self._task.start()

    async def stop(self) -> None:
        """End the task; what still waits is done by the next process that starts."""
        await self._task.stop()

    async def settled(self) -> None:
        """Return when every clearing that was read from the feed has reached Redis."""
        await self._waiting.join()

    async def _run(self) -> None:
        while True:
            change = await self._waiting.get()
            detail = change.detail
            while True:
                try:
                    await self._guard.clear(
                        detail["company_id"],
                        detail["tier"],
                        detail["scope"],
                        detail["subject"],
                        change.seq,
                        self._clock(),
                    )
                except EphemeralUnavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                except Exception:
                    # One that cannot be applied must not hold up the others for ever.
                    log.exception("a cleared lock could not be applied")
                    break
                else:
                    break
            self._waiting.task_done()
