"""Work that goes on beside the requests, from the gateway's start to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

AGAIN_SECONDS: Final = 5.0
"""A library may lose a cancellation (`asyncio.wait_for` does before Python 3.12, when what it waits for happens at the
same moment), and a gateway that waits for such a task would never end: it is cancelled again. Not soon: a transaction
that is being rolled back would be left."""

log = structlog.get_logger(__name__)


class BackgroundTask:
    """Runs `work`, which does not end by itself, from `start` to `stop`.

    Should it fail all the same, the log says so at once, and nothing else of the gateway ends with it.
    """

    def __init__(self, work: Callable[[], Coroutine[None, None, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End; nothing to do before `start`."""
        while self._task is not None and not self._task.done():
            self._task.cancel()
            _, running = await asyncio.wait([self._task], timeout=AGAIN_SECONDS)
            if running:
                log.warning("a background task does not end", task=self._name)

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception:
            log.exception("a background task has failed", task=self._name)
