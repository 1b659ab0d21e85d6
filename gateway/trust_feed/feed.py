"""The feed itself: reads `trust_changes` every 250 ms and at once after this process's own commits.

SQL is the truth about trust. Whoever changes it (this process, another gateway, the command line) commits a numbered
row together with the change; every gateway process reads the new rows and refreshes what it holds in memory. A process
whose last successful read is too old no longer knows what is true and refuses to let anybody in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

import structlog

from gateway.background import BackgroundTask
from storage import trust_changes
from storage.database import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from storage.database import Database
    from storage.trust_changes import TrustChange

    Follower = Callable[[AsyncConnection, Sequence[TrustChange]], Awaitable[None]]

POLL_SECONDS: Final = 0.25
"""A change made elsewhere is seen after at most this plus one read: well within the promised second."""

STALE_AFTER_SECONDS: Final = 2.0
"""Older knowledge about trust is no knowledge: kiosks and phones are refused with 503 until the next read."""

REFRESH_SPACING_SECONDS: Final = 0.05
"""Reads on demand (an unknown key) are shared and at least this far apart, so that nobody can ask SQL to death."""

REPLAY_SECONDS: Final = 3600.0
"""A starting process reads the changes of this long ago again: longer than any session lives."""

log = structlog.get_logger(__name__)


class TrustFeed:
    """Keeps one process's knowledge about trust true.

    Followers get the new rows in order, inside the same read transaction, and must be idempotent: a starting process
    sees the changes of the last hour again. A follower's `load` rebuilds everything it holds.
    """

    def __init__(self, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._followers: list[Follower] = []
        self._loaders: list[Callable[[AsyncConnection], Awaitable[None]]] = []
        self._wake = asyncio.Event()
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._task = BackgroundTask(self._run, "trust-feed")
        self.seen = 0

    def follow(self, follower: Follower, load: Callable[[AsyncConnection], Awaitable[None]] | None = None) -> None:
        """Register what to do with new rows, and how to rebuild from nothing. Before `start`."""
        self._followers.append(follower)
        if load is not None:
            self._loaders.append(load)

    @property
    def is_fresh(self) -> bool:
        """Whether what this process knows about trust is at most two seconds old."""
        return self._monotonic() - self._read_at <= STALE_AFTER_SECONDS

    def wake(self) -> None:
        """Read now instead of at the next tick: called after this process's own commits."""
        self._wake.set()

    async def start(self) -> None:
        """Load everything, then keep reading until `stop`. Raises `StorageUnavailable`."""
        await self._rebuild()
        self._task.start()

    async def stop(self) -> None:
        """End the reading task."""
        await self._task.stop()

    async def refresh(self) -> None:
        """Read what was committed before this call, sharing the read with whoever asks at the same moment.

        Raises `StorageUnavailable`.
        """
        asked = self._monotonic()
        async with self._reading:
            if self._read_at > asked:
                return
            pause = self._read_at + REFRESH_SPACING_SECONDS - self._monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            await self._read()

    async def _run(self) -> None:
        failing = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                async with self._reading:
                    await self._read()
            except StorageUnavailable as error:
                if not failing:
                    log.warning("trust feed cannot read", cause=str(error))
                failing = True
            except Exception:
                # A follower that fails must not end the feed: the process turns stale and refuses, and tries again.
                if not failing:
                    log.exception("trust feed failed")
                failing = True
            else:
                if failing:
                    log.info("trust feed reads again")
                failing = False

    async def _read(self) -> None:
        started = self._monotonic()
        async with self._database.read() as connection:
            changes = await trust_changes.after(connection, self.seen)
            # A gap: we slept longer than rows are kept. Fewer than we have seen: the database was restored under us.
            first = changes[0].seq if changes else await trust_changes.latest(connection) + 1
            rebuild = first > self.seen + 1 or (not changes and first <= self.seen)
            if changes and not rebuild:
                for follower in self._followers:
                    await follower(connection, changes)
        if rebuild:
            await self._rebuild()
            return
        if changes:
            self.seen = changes[-1].seq
        self._read_at = started

    async def _rebuild(self) -> None:
        started = self._monotonic()
        async with self._database.read() as connection:
            seen = await trust_changes.latest(connection)
            recent = await trust_changes.since_time(connection, self._clock() - REPLAY_SECONDS)
            for load in self._loaders:
                await load(connection)
            for follower in self._followers:
                await follower(connection, recent)
        self.seen = seen
        self._read_at = started
