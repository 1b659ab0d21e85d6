"""Transactions of the hot path, past SQLAlchemy's execution: a trip to the driver or two instead of six.

Stamps of one moment are written and committed in one trip, and what is not known of their people is read in another
one before. Nothing that was read needs a lock: what is written makes sure that all is as it was read, else nothing is.
(On SQLite a transaction that reads has the write lock all the same.) Each trip more would leave a busy event loop
waiting; on SQLite it also has to win the GIL back from it. SQLAlchemy makes, pools and replaces the connection; what it
does for each statement (a greenlet, a cursor, a begin, a reset) costs more than the statements themselves.
"""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import exc

from storage.errors import Conflict
from storage.sqlite import is_file_trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from storage.incoming import RowsStatement, RowsWrite
    from storage.sqlite import OneHopConnection

Rows = list[Any]

BEGIN: Final = "BEGIN IMMEDIATE"
"""SQLite: the write lock at once, as every writer of this layer takes it."""


READ_ONLY: Final = "25006"
"""PostgreSQL: the SQLSTATE of a server that takes no writes (PostgreSQL manual, appendix A)."""


class DirectTransaction(Protocol):
    """One transaction: `fetch` if need be, then `commit` once; left without it, it is rolled back.

    `connection_number` counts the connections of this process: behind a new one may be another server, which took the
    old one's place and does not have all that the old one had.
    """

    connection_number: int

    async def fetch(self, statement: RowsStatement, rows: Sequence[Sequence[Any]]) -> Rows:
        """Execute a statement and return the rows that it finds."""

    async def commit(self, write: RowsWrite, *sets: Sequence[Sequence[Any]]) -> None:
        """Write and commit; durable when it returns. Raises `Conflict` when what was read is no longer so."""

    async def roll_back(self) -> None:
        """Undo what was not committed; nothing to do after `commit`."""

    @property
    def committed(self) -> bool:
        """Whether `commit` was reached and done."""


class DirectWriter:
    """Keeps one connection for such transactions, one at a time. Raises the driver's own errors and SQLAlchemy's."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self.connection_number = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[DirectTransaction]:
        """Give a transaction. A connection that failed is replaced by the next one."""
        if self._driver is not None and getattr(self._driver, "is_closed", bool)():
            await self._discard()  # the server went away meanwhile; asks the socket, not the server
        if self._connection is None:
            connection = await self._engine.connect()
            self._driver = (await connection.get_raw_connection()).driver_connection
            self._connection = connection
            self.connection_number += 1
        is_sqlite = self._engine.dialect.name == "sqlite"
        kind = _SqliteTransaction if is_sqlite else _PostgresTransaction
        transaction: DirectTransaction = kind(self._driver, self.connection_number)
        try:
            yield transaction
        except Exception as error:
            if is_file_trouble(error) or isinstance(error, OSError) or _is_of_a_standby(error):
                # The file's handle is broken, the server did not answer in time, or it has become a standby: another
                # connection may find the one that took its place.
                await self._discard()
                raise
            await self._end(transaction)
            raise
        except BaseException:
            await self._end(transaction)
            raise
        else:
            await self._end(transaction)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _end(self, transaction: DirectTransaction) -> None:
        try:
            await transaction.roll_back()
        except BaseException:
            await self._discard()
            raise

    async def _discard(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            with suppress(exc.SQLAlchemyError, OSError):
                await connection.invalidate()
            with suppress(exc.SQLAlchemyError, OSError):
                await connection.close()


def _is_of_a_standby(error: Exception) -> bool:
    return getattr(error, "sqlstate", None) == READ_ONLY


class _SqliteTransaction:
    def __init__(self, driver: OneHopConnection, connection_number: int) -> None:
        self._driver = driver
        self.connection_number = connection_number
        self._open = self.committed = False

    async def fetch(self, statement: RowsStatement, rows: Sequence[Sequence[Any]]) -> Rows:
        begins, self._open = not self._open, True
        found = await self._driver.run(_begin_and_fetch if begins else _fetch, *statement.for_sqlite(rows))
        return statement.rows_from_sqlite(found)

    async def commit(self, write: RowsWrite, *sets: Sequence[Sequence[Any]]) -> None:
        begins, self._open = not self._open, True
        if not await self._driver.run(_write_and_commit, begins, write.for_sqlite(sets)):
            raise Conflict("what was read has changed")
        self._open, self.committed = False, True

    async def roll_back(self) -> None:
        if self._open:
            await self._driver.run(sqlite3.Connection.rollback)
            self._open = False


def _begin_and_fetch(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> str:
    connection.execute(BEGIN)
    return _fetch(connection, sql, values)


def _fetch(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> str:
    found: str = connection.execute(sql, values).fetchone()[0]
    return found


def _write_and_commit(
    connection: sqlite3.Connection, begins: bool, calls: list[tuple[str, tuple[Any, ...], int]]
) -> bool:
    if begins:
        connection.execute(BEGIN)
    for sql, values, count in calls:
        before = connection.total_changes  # a cursor's `rowcount` knows nothing of statements that begin with WITH
        connection.execute(sql, values)
        if connection.total_changes - before != count:
            connection.rollback()
            return False
    connection.commit()
    return True


class _PostgresTransaction:
    def __init__(self, driver: asyncpg.Connection[Any], connection_number: int) -> None:
        self._driver = driver
        self.connection_number = connection_number
        self.committed = False

    async def fetch(self, statement: RowsStatement, rows: Sequence[Sequence[Any]]) -> Rows:
        sql, values = statement.for_postgres(rows)
        found: Rows = await self._driver.fetch(sql, *values)
        return found

    async def commit(self, write: RowsWrite, *sets: Sequence[Sequence[Any]]) -> None:
        sql, values = write.for_postgres(sets)
        ((is_written,),) = await self._driver.fetch(sql, *values)
        if not is_written:
            raise Conflict("what was read has changed")
        self.committed = True

    async def roll_back(self) -> None:
        """Nothing is open between two statements."""
