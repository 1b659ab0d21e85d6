"""Statements are compiled once in a test process, not once for each of the thousands of databases it opens.

SQLAlchemy keeps what it has compiled per engine and per instance of the dialect; here all engines share one store, and
dialects of one class count as one: ours are all made with the same options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from sqlalchemy import Connection

_store: LRUCache[Any, Any] = LRUCache(5000)


def share() -> None:
    """Begin to share; to be called once, before any engine is made."""
    for dialect in (SQLiteDialect_aiosqlite, PGDialect_asyncpg):
        dialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]
        dialect.__hash__ = lambda one: hash(type(one))  # type: ignore[assignment,method-assign]

    @event.listens_for(Engine, "engine_connect")
    def use_the_store(connection: Connection) -> None:
        connection.engine._compiled_cache = _store
