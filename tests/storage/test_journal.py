"""Small writes share a transaction, and one that fails takes nobody with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage import lockouts
from storage.errors import Conflict
from storage.journal import Journal
from storage.lockouts import Lockout

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database

SUBJECT = b"s" * 32


async def test_writes_of_one_moment_share_one_commit(database: Database) -> None:
    sizes: list[int] = []
    journal = Journal(database, observe=sizes.append)

    async def write(connection: AsyncConnection) -> None:
        await lockouts.record_failure(connection, SUBJECT, 1.0)

    before = database.commits
    await asyncio.gather(*(journal.write(write) for _ in range(40)))
    assert database.commits - before == len(sizes) <= 2
    async with database.read() as connection:
        assert await lockouts.count_failures(connection, SUBJECT, 0.0) == 40


async def test_one_that_fails_fails_alone_and_tells_no_values(database: Database) -> None:
    journal = Journal(database)
    lock = Lockout(
        id="01936f6e-0000-7000-8000-000000000001",
        company_id="01936f6e-0000-7000-8000-000000000002",
        tier="kiosk",
        scope="number",
        subject="cd" * 32,
        reason="daily",
        since=1.0,
    )

    async def good(connection: AsyncConnection) -> None:
        await lockouts.record_failure(connection, SUBJECT, 1.0)

    async def twice(connection: AsyncConnection) -> None:
        await lockouts.record_failure(connection, SUBJECT, 1.0)
        await lockouts.add_lock(connection, lock)
        await lockouts.add_lock(connection, lock)

    outcomes = await asyncio.gather(*(journal.write(w) for w in (good, twice, good)), return_exceptions=True)
    assert outcomes[0] is outcomes[2] is None
    assert isinstance(outcomes[1], Conflict)
    assert lock.subject not in repr(outcomes[1])
    assert outcomes[1].__cause__ is None
    async with database.read() as connection:
        assert await lockouts.count_failures(connection, SUBJECT, 0.0) == 2
        assert await lockouts.active(connection, None, 1.0) == []


async def test_a_fault_of_the_writer_itself_reaches_the_writer(database: Database) -> None:
    async def faulty(connection: AsyncConnection) -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        await Journal(database).write(faulty)


async def test_drain_returns_when_everything_is_written(database: Database) -> None:
    journal = Journal(database)

    async def write(connection: AsyncConnection) -> None:
        await lockouts.record_failure(connection, SUBJECT, 1.0)

    waiting = asyncio.create_task(journal.write(write))
    await asyncio.sleep(0)
    await journal.drain()
    assert waiting.done()
    await waiting
