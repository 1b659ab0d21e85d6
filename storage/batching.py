"""Natural batching: whoever comes while one flush runs shares the next. No timers, no added latency when idle.

The one performance idea of the product: stamps of one moment share a transaction, Redis calls of one moment share a
pipeline. Under no load every batch has one item; under load batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_BATCH = 128
"""Items in one flush unless told: more gain nothing and make the first wait for the last."""


class Batcher(Generic[Item, Result]):
    """Hands items to `flush` in batches, in the order they came, and each outcome to whoever waits for it.

    `flush` gets at least one and at most `max_batch` items and returns as many outcomes in the same order; an outcome
    that is an exception is raised for that item alone. If `flush` itself raises, exactly its own items fail, with that
    exception. One flush runs at a time. A waiter that is cancelled disturbs nobody: its item is flushed all the same.
    `observe` is told the size of each batch. Belongs to one event loop.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Result | Exception]]],
        *,
        max_batch: int = MAX_BATCH,
        name: str = "batcher",
        observe: Callable[[int], None] | None = None,
    ) -> None:
        if max_batch < 1:
            raise ValueError("max_batch is at least 1")
        self._flush = flush
        self._max_batch = max_batch
        self._name = name
        self._observe = observe
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Have `item` flushed; await what is returned for its outcome, which may be an exception."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, outcome))
        if self._running is None:
            # An empty context: a flush works for many callers, so it must not log under the first one's request id.
            self._running = loop.create_task(self._run(), name=self._name, context=contextvars.Context())
        return outcome

    async def drain(self) -> None:
        """Return when nothing waits and nothing runs. Items that come meanwhile are flushed too."""
        while self._running is not None:
            await asyncio.wait((self._running,))

    async def _run(self) -> None:
        waiting = self._waiting
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(len(waiting), self._max_batch))]
                await self._flush_batch(batch)
                batch = []
                # Lets those just answered, and everybody else, run: a flush that never waits must not hold the loop.
                await asyncio.sleep(0)
        finally:
            self._running = None
            if batch or waiting:  # the task itself was cancelled: the loop is closing
                for _, outcome in (*batch, *waiting):
                    outcome.cancel()
                waiting.clear()

    async def _flush_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: list[Result | Exception]
        try:
            if self._observe is not None:
                self._observe(len(batch))
            results = await self._flush([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{self._name}: {len(results)} outcomes for {len(batch)} items")
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
            results = [error] * len(batch)
        for (_, outcome), result in zip(batch, results, strict=True):
            if outcome.done():  # its waiter was cancelled
                continue
            if isinstance(result, Exception):
                outcome.set_exception(result)
                outcome.exception()  # a waiter cancelled in this very moment is no unhandled error
            else:
                outcome.set_result(result)
