"""Work that goes on beside the requests, from the gateway's start to its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

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
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception:
            log.exception("a background task has failed", task=self._name)
