from __future__ import annotations

import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs

from gateway import background
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


async def test_it_ends_also_when_what_it_does_loses_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_SECONDS", 0.01)
    lost = 0

    async def work() -> None:
        nonlocal lost
        while lost < 2:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            lost += 1
        await asyncio.Event().wait()

    task = BackgroundTask(work, "work")
    task.start()
    await asyncio.sleep(0)
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            await task.stop()
    assert lost == 2
    assert [(line["event"], line["task"]) for line in logs] == [("a background task does not end", "work")] * 2


async def test_whoever_gives_up_stopping_it_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_SECONDS", 0.01)
    free = asyncio.Event()

    async def work() -> None:
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await free.wait()

    task = BackgroundTask(work, "deaf")
    task.start()
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await task.stop()
    free.set()
    await task.stop()
