"""Fresh databases of both kinds for tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from storage.database import Database
from tests.servers.postgres import return_database, shared_postgres, take_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")


@asynccontextmanager
async def fresh_url(kind: Kind, directory: Path, *, migrated: bool = True) -> AsyncIterator[str]:
    """Give the URL of a new database, with the schema or empty. The SQLite file is made in `directory`."""
    if kind == "sqlite":
        url = f"sqlite+aiosqlite:///{directory / 'data' / 'stampgate.db'}"
        if migrated:
            database = Database(url)
            await database.upgrade()
            await database.close()
        yield url
        return
    server = shared_postgres()
    url = await take_database(server, migrated=migrated)
    try:
        yield url
    finally:
        await return_database(server, url, migrated=migrated)


@asynccontextmanager
async def fresh_database(kind: Kind, directory: Path) -> AsyncIterator[Database]:
    """Give a new migrated database, closed and deleted afterwards."""
    async with fresh_url(kind, directory) as url:
        database = Database(url)
        try:
            yield database
        finally:
            await database.close()
