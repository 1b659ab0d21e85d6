"""Small writes that happen at the same moment share one committed transaction.

Sign-ins, failed tries and locks are single rows, each of which must be durable before somebody gets an answer. Alone
each would cost a commit and hold up the stamps; together they cost one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.batching import Batcher
from storage.errors import translate

if TYPE_CHECKING:
    from storage.database import Database

Write = Callable[[AsyncConnection], Awaitable[None]]
"""What one caller wants written, inside the shared transaction."""

MAX_WRITES = 64
"""Writes per transaction: enough to share the commit, few enough to keep the stamps' turn near."""


class Journal:
    """Hands writes to the next shared transaction; `write` returns after the commit."""

    def __init__(self, database: Database, observe: Callable[[int], None] | None = None) -> None:
        self._database = database
        self._batcher: Batcher[Write, None] = Batcher(
            self._flush, max_batch=MAX_WRITES, name="journal", observe=observe
        )

    async def write(self, write: Write) -> None:
        """Run `write` in the next transaction and return when it is durable.

        Raises what `write` raised (the others of its transaction are not touched) and `StorageUnavailable`.
        """
        await self._batcher.submit(write)

    async def drain(self) -> None:
        """Wait until everything handed in is written."""
        await self._batcher.drain()

    async def _flush(self, writes: list[Write]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        async with self._database.write() as connection:
            for write in writes:
                try:
                    async with connection.begin_nested():
                        await write(connection)
                except IntegrityError as error:
                    outcomes.append(translate(error))  # without the values that the driver put into its message
                except (ValueError, LookupError) as error:
                    outcomes.append(error)
                else:
                    outcomes.append(None)
        return outcomes
