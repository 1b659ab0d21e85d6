"""A second process beside an open SQLite database must never take its write-ahead log away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from storage import trust_changes
from storage.database import Database
from tests.gateway.forked import run_apart

if TYPE_CHECKING:
    from pathlib import Path


def come_and_go(url: str) -> None:
    """What another process does."""
    asyncio.run(_come_and_go(url))


async def _come_and_go(url: str) -> None:
    database = Database(url)
    await database.upgrade()
    async with database.write() as connection:
        await trust_changes.append(connection, "device", "theirs", None, 2.0)
    await database.close()


async def test_what_this_process_writes_after_another_came_and_went_is_there_for_a_third(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'stampgate.db'}"
    ours = Database(url)
    await ours.upgrade()
    async with ours.read() as connection:
        assert await trust_changes.latest(connection) == 0
    async with ours.write() as connection:
        await trust_changes.append(connection, "device", "first", None, 1.0)

    for _ in range(2):
        await asyncio.to_thread(run_apart, come_and_go, url)
    assert (tmp_path / "data" / "stampgate.db-wal").exists()
    async with ours.write() as connection:
        await trust_changes.append(connection, "device", "last", None, 3.0)

    third = Database(url)
    async with third.read() as connection:
        seen = [change.subject for change in await trust_changes.after(connection, 0)]
    await third.close()
    await ours.close()
    assert seen == ["first", "theirs", "theirs", "last"]
