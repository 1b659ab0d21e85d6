"""PINs and passwords are hashed beside the event loop, by threads that never take a stamp's turn.

Argon2 costs 17 ms and releases the GIL, so threads do it; at the lowest priority, because the kernel would otherwise
share one core fairly between a login storm and the stamps (p99 of stamps 6 ms instead of 1,650). The queue is bounded:
a login that could only be answered in half a minute is better refused at once, with `busy`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from gateway.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

WAITING_PER_THREAD: Final = 32
"""Jobs that may wait behind each thread: half a second of work at 17 ms each, which a person still waits gladly."""

LOWEST_PRIORITY: Final = 19
RETRY_AFTER: Final = 1
"""Seconds a refused client waits: the whole queue is worked off by then."""


class HashPool:
    """A bounded pool for costly hashes, to be used from one event loop.

    `threads` of None means one per core. `observe` is told how many jobs are waiting or running, whenever that changes.
    """

    def __init__(
        self,
        threads: int | None = None,
        *,
        waiting_per_thread: int = WAITING_PER_THREAD,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        count = threads or _usable_cores()
        self._capacity = count * (waiting_per_thread + 1)
        self._observe = observe
        self._unfinished = 0
        self._closed = False
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="hash", initializer=_lower_priority)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args, **kwargs)` in one of the threads. Raises Problem `busy` at once when the queue is full.

        When the waiter is cancelled before the job has begun, the job never begins.
        """
        if self._closed or self._unfinished >= self._capacity:
            raise Problem("busy", retry_after=RETRY_AFTER, cause="the hash queue is full")
        job = self._threads.submit(function, *args, **kwargs)
        self._count(+1)
        try:
            return await asyncio.wrap_future(job)
        finally:
            self._count(-1)

    async def close(self) -> None:
        """Take nothing more, finish what was taken."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown, wait=True)

    def _count(self, change: int) -> None:
        self._unfinished += change
        if self._observe is not None:
            self._observe(self._unfinished)


def _usable_cores() -> int:
    """Return the cores this process may use: a service is often bound to fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _lower_priority() -> None:
    """Linux schedules threads, each by its own nice value; elsewhere the number would name a process, so leave it."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
