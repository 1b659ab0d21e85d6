"""Trust changes: no gaps, visible in order, whoever writes at the same time."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from storage import trust_changes
from storage.database import Database
from tests.storage.rows import NOW

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def _append(connection: AsyncConnection, subject: str = "s", at: float = NOW) -> int:
    return await trust_changes.append(connection, "device", subject, {"why": "test"}, at)


async def test_changes_are_numbered_and_read_in_order(database: Database) -> None:
    async with database.write() as connection:
        assert await trust_changes.latest(connection) == 0
        assert [await _append(connection, f"s{n}", NOW + n) for n in range(3)] == [1, 2, 3]
        assert await trust_changes.append(connection, "person", "p", None, NOW + 3) == 4
    async with database.read() as connection:
        assert await trust_changes.after(connection, 2) == [
            trust_changes.TrustChange(3, "device", "s2", {"why": "test"}, NOW + 2),
            trust_changes.TrustChange(4, "person", "p", {}, NOW + 3),
        ]
        assert [change.seq for change in await trust_changes.since_time(connection, NOW + 1)] == [2, 3, 4]
        assert await trust_changes.latest(connection) == 4


async def test_a_purge_forgets_rows_and_never_numbers(database: Database) -> None:
    async with database.write() as connection:
        for n in range(3):
            await _append(connection, at=NOW + n)
        assert await trust_changes.purge(connection, NOW + 2) == 2
        assert [change.seq for change in await trust_changes.after(connection, 0)] == [3]
        await trust_changes.purge(connection, NOW + 10)
        assert await trust_changes.latest(connection) == 3
        assert await _append(connection) == 4


async def test_a_rolled_back_change_leaves_no_gap(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.write() as connection:
            assert await _append(connection) == 1
            raise LookupError
    async with database.write() as connection:
        assert await _append(connection) == 1


async def test_many_writers_and_a_reader_see_every_number_once_and_in_order(url: str) -> None:
    """Two processes' worth of writers, some rolling back; the reader follows as the trust feed does."""
    databases = [Database(url), Database(url)]
    total, seen = 30, list[int]()
    done = asyncio.Event()

    async def write(turn: int) -> None:
        database = databases[turn % 2]
        while True:
            try:
                async with database.write() as connection:
                    await _append(connection, f"s{turn}")
                    await asyncio.sleep(random.random() / 500)
                    if random.random() < 0.3:
                        raise LookupError
            except LookupError:
                continue
            return

    async def follow() -> None:
        while True:
            finished = done.is_set()
            async with databases[0].read() as connection:
                seen.extend(change.seq for change in await trust_changes.after(connection, seen[-1] if seen else 0))
            if finished:
                return
            await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(turn) for turn in range(total)))
    done.set()
    await following
    assert seen == list(range(1, total + 1))
    for database in databases:
        await database.close()
