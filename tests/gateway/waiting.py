"""Waiting for what other tasks and processes do: with a deadline, never for a fixed time."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE_SECONDS = 20.0
"""Far longer than anything takes: the machine may be busy with other tests."""


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = DEADLINE_SECONDS) -> None:
    """Return as soon as `holds()`; raises `TimeoutError` when it does not."""
    async with asyncio.timeout(seconds):
        while True:
            outcome = holds()
            if await outcome if inspect.isawaitable(outcome) else outcome:
                return
            await asyncio.sleep(0.005)
