"""Fresh databases of both kinds for tests."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from storage.database import Database
from tests.servers.postgres import return_database, shared_postgres, take_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")

_template: list[bytes] = []
"""An SQLite file with the schema and nothing else, made by the migrations once in each test process."""


async def put_sqlite(path: Path) -> None:
    """Make a migrated SQLite file at `path` by a copy: migrations have tests of their own."""
    if not _template:
        with tempfile.TemporaryDirectory() as elsewhere:
            file = Path(elsewhere) / "stampgate.db"
            database = Database(f"sqlite+aiosqlite:///{file}")
            await database.upgrade()
            await database.close()
            _template.append(file.read_bytes())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(_template[0])
    path.chmod(0o600)


@asynccontextmanager
async def fresh_url(kind: Kind, directory: Path, *, migrated: bool = True) -> AsyncIterator[str]:
    """Give the URL of a new database, with the schema or empty. The SQLite file is made in `directory`."""
    if kind == "sqlite":
        file = directory / "data" / "stampgate.db"
        if migrated:
            await put_sqlite(file)
        yield f"sqlite+aiosqlite:///{file}"
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
