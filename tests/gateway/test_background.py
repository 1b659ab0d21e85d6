from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from gateway.background import BackgroundTask


async def test_it_works_from_start_to_stop() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = BackgroundTask(work, "work")
    await task.stop()  # nothing has begun
    assert not began.is_set()
    task.start()
    async with asyncio.timeout(5):
        await began.wait()
        await task.stop()
    assert ended.is_set()


async def test_one_that_fails_is_told_at_once_and_ends_nothing_else() -> None:
    async def work() -> None:
        raise LookupError

    task = BackgroundTask(work, "sweeping")
    with capture_logs() as logs:
        task.start()
        await asyncio.sleep(0)
        await task.stop()
    assert [(line["event"], line["task"]) for line in logs] == [("a background task has failed", "sweeping")]
