"""Natural batching, to the letter."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest

from storage.batching import Batcher


class Flushes:
    """A flush that a test holds back and watches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0

    async def __call__(self, items: list[int]) -> list[int | Exception]:
        assert self.running == 0, "one flush at a time"
        self.running += 1
        self.batches.append(items)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return [ValueError(item) if item < 0 else item * 10 for item in items]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_item_alone_is_flushed_at_once() -> None:
    flushes = Flushes()
    assert await Batcher(flushes).submit(1) == 10
    assert flushes.batches == [[1]]


async def test_items_of_one_moment_share_a_flush_in_their_order() -> None:
    flushes = Flushes()
    batcher = Batcher(flushes)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(5))) == [0, 10, 20, 30, 40]
    assert flushes.batches == [[0, 1, 2, 3, 4]]


async def test_while_one_flush_runs_the_next_collects() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher(flushes)
    first = asyncio.ensure_future(batcher.submit(1))
    await settle()
    later = [asyncio.ensure_future(batcher.submit(n)) for n in (2, 3, 4)]
    await settle()
    assert flushes.batches == [[1]]
    flushes.gate.set()
    assert await asyncio.gather(first, *later) == [10, 20, 30, 40]
    assert flushes.batches == [[1], [2, 3, 4]]


async def test_a_batch_is_never_larger_than_allowed_and_nobody_is_overtaken() -> None:
    flushes = Flushes()
    sizes: list[int] = []
    batcher = Batcher(flushes, max_batch=3, observe=sizes.append)
    await asyncio.gather(*(batcher.submit(n) for n in range(8)))
    assert flushes.batches == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert sizes == [3, 3, 2]


async def test_each_item_has_its_own_outcome() -> None:
    batcher = Batcher(Flushes())
    outcomes = await asyncio.gather(*(batcher.submit(n) for n in (1, -2, 3)), return_exceptions=True)
    assert outcomes[0] == 10
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == 30


async def test_a_flush_that_raises_fails_exactly_its_own_items() -> None:
    refusal = LookupError("away")

    async def flush(items: list[int]) -> list[int | Exception]:
        await asyncio.sleep(0)
        if 1 in items:
            raise refusal
        return list(items)

    batcher = Batcher(flush, max_batch=2)
    outcomes = await asyncio.gather(*(batcher.submit(n) for n in range(6)), return_exceptions=True)
    assert outcomes == [refusal, refusal, 2, 3, 4, 5]
    assert await batcher.submit(7) == 7


async def test_too_few_outcomes_fail_the_batch_instead_of_leaving_somebody_waiting() -> None:
    async def flush(items: list[int]) -> list[int | Exception]:
        return list(items[1:])

    batcher = Batcher(flush, name="short")
    outcomes = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["short: 1 outcomes for 2 items"] * 2


async def test_a_cancelled_waiter_disturbs_nobody_and_its_item_is_flushed() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher(flushes)
    running = [asyncio.ensure_future(batcher.submit(n)) for n in (1, 2)]
    await settle()
    waiting = [asyncio.ensure_future(batcher.submit(n)) for n in (3, 4)]
    await settle()
    running[0].cancel()
    waiting[0].cancel()
    await settle()
    flushes.gate.set()
    outcomes = await asyncio.gather(*running, *waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1] == 20
    assert isinstance(outcomes[2], asyncio.CancelledError)
    assert outcomes[3] == 40
    assert flushes.batches == [[1, 2], [3, 4]]


async def test_a_refusal_nobody_waits_for_is_no_unhandled_error() -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher(flushes)
    tasks = [asyncio.ensure_future(batcher.submit(-n)) for n in (1, 2)]
    await settle()
    flushes.gate.set()
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await batcher.drain()
    del tasks
    gc.collect()
    assert unhandled == []


async def test_drain_waits_for_everything_accepted_and_for_what_comes_meanwhile() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher(flushes, max_batch=1)
    tasks = [asyncio.ensure_future(batcher.submit(n)) for n in (1, 2)]
    await settle()
    draining = asyncio.create_task(batcher.drain())
    await settle()
    tasks.append(asyncio.ensure_future(batcher.submit(3)))
    await settle()
    assert not draining.done()
    flushes.gate.set()
    await draining
    assert flushes.batches == [[1], [2], [3]]
    assert await asyncio.gather(*tasks) == [10, 20, 30]


async def test_drain_of_an_idle_batcher_returns_at_once() -> None:
    batcher = Batcher(Flushes())
    await batcher.drain()
    await batcher.submit(1)
    await batcher.drain()


async def test_a_cancelled_drain_leaves_the_flush_alone() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher(flushes)
    task = asyncio.ensure_future(batcher.submit(1))
    await settle()
    draining = asyncio.create_task(batcher.drain())
    await settle()
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    flushes.gate.set()
    assert await task == 10


async def test_no_task_is_left_when_there_is_nothing_to_do() -> None:
    batcher = Batcher(Flushes())
    await asyncio.gather(*(batcher.submit(n) for n in range(100)))
    await batcher.drain()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_flush_that_never_waits_does_not_hold_the_loop() -> None:
    ticks = 0

    async def flush(items: list[int]) -> list[int | Exception]:
        return list(items)

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    batcher = Batcher(flush, max_batch=1)
    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(batcher.submit(n) for n in range(50)))
    ticking.cancel()
    assert ticks >= 50


async def test_a_flush_does_not_run_in_the_context_of_its_first_caller() -> None:
    request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")
    seen: list[str] = []

    async def flush(items: list[int]) -> list[int | Exception]:
        seen.append(request_id.get())
        return list(items)

    request_id.set("mine")
    await Batcher(flush).submit(1)
    assert seen == ["none"]


async def test_a_closing_loop_cancels_those_who_wait() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher(flushes, max_batch=1, name="closing")
    tasks = [asyncio.ensure_future(batcher.submit(n)) for n in (1, 2)]
    await settle()
    next(task for task in asyncio.all_tasks() if task.get_name() == "closing").cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    flushes.gate.set()
    assert await batcher.submit(3) == 30


def test_a_batch_has_room_for_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Batcher(Flushes(), max_batch=0)
