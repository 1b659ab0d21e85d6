"""At which revision a database is, and which one this package works with, asked at every start of every command.

Alembic would tell both, but importing it takes a command longer than all its work: only what migrates does
(`storage.migrating`).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import column, inspect, select, table

if TYPE_CHECKING:
    from sqlalchemy import Connection

APPLICATION_NAME: Final = "stampgate"
"""What our connections call themselves at PostgreSQL."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_VERSION: Final = table("alembic_version", column("version_num"))
"""Where Alembic notes the revision; one row, for our migrations are one line."""


def current(connection: Connection) -> str | None:
    """Return the revision the database is at, `None` before the first migration."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    revision: str | None = connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
    return revision


@functools.cache
def head() -> str:
    """Return the newest revision of this package: each file of `migrations/versions` begins with its own."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))
