"""The SQL database: SQLite in one file, or PostgreSQL, behind the same few verbs.

A `read` sees one consistent moment and never waits for a writer; a `write` is one transaction, durable when it ends
without an exception. Outages become `StorageUnavailable`, and the next use connects anew by itself.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Integer, LargeBinary, NullPool, Table, event, exc, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage import copying, revisions
from storage.direct import DirectTransaction, DirectWriter
from storage.errors import (
    Conflict,
    SecretsMismatch,
    StatementRefused,
    StorageError,
    StorageUnavailable,
    translate,
    translate_driver,
)
from storage.schema import Instant, metadata
from storage.sqlite import OLDEST_VERSION, OneHopConnection, is_file_trouble, opener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL, ExceptionContext

    from storage.migrating import Migration

__all__ = [
    "Conflict",
    "Database",
    "Instant",
    "SecretsMismatch",
    "StatementRefused",
    "StorageError",
    "StorageUnavailable",
    "metadata",
]

CONNECT_SECONDS: Final = 5.0
"""How long PostgreSQL may take to answer a new connection."""

COMMAND_SECONDS: Final = 10.0
"""How long one PostgreSQL statement may take: none of ours is long, so more means that the server is gone."""

POSTGRES_PLANNING: Final = {"enable_seqscan": "off", "jit": "off"}
"""Indexes wherever there is one. Prepared statements keep the plan of their first uses: on a new database that is to
read all of a table that is still empty, and it stays so while the table grows, until statistics are gathered."""

POOL_WAIT_SECONDS: Final = 5.0
"""How long a caller waits for a free connection."""

secrets_binding = Table(
    "secrets_binding",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("check_value", LargeBinary, nullable=False),
)


class Database:
    """One database and its connections. `commits` counts the write transactions committed so far.

    `url`: `sqlite+aiosqlite:///relative/or//absolute.db` or `postgresql+asyncpg://…` (the short forms `sqlite://` and
    `postgresql://` mean the same). `pool_size`: connections kept open; PostgreSQL may use as many again for a moment.
    Raises `ValueError` for a URL that means neither.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self._url = _read_url(url)
        self.commits = 0
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            path = self._path = Path(self._url.database or "").absolute()
            self._writing: asyncio.Lock | None = asyncio.Lock()
            self._readers = _sqlite_engine(self._url, path, writer=False, pool_size=pool_size)
            # A connection for the hot path and one for everything else; `_writing` keeps them out of each other's way.
            self._writers = _sqlite_engine(self._url, path, writer=True, pool_size=2)
            self._driver_errors: tuple[type[Exception], ...] = (sqlite3.Error,)
        else:
            self._writing = None
            self._writers = _postgres_engine(self._url, pool_size)
            self._readers = self._writers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._driver_errors = _asyncpg_errors()
        self._writing_rows = asyncio.Lock()
        self._rows_writer = DirectWriter(self._writers)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for reading: all its statements see the same moment. Raises `StorageError`."""
        try:
            async with self._readers.connect() as connection:
                yield connection
        except (exc.SQLAlchemyError, OSError) as error:
            raise translate(error).with_traceback(error.__traceback__) from None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection inside one transaction: committed at the end, rolled back on an exception.

        On SQLite the writers of this process wait for each other here, so that `busy_timeout` is left for other
        processes. Raises `StorageError`; after `Conflict` nothing of the transaction is left.
        """
        try:
            if self._writing is None:
                async with self._writers.begin() as connection:
                    yield connection
            else:
                async with self._writing, self._writers.begin() as connection:
                    yield connection
        except (exc.SQLAlchemyError, OSError) as error:
            raise translate(error).with_traceback(error.__traceback__) from None
        self.commits += 1

    @asynccontextmanager
    async def write_rows(self) -> AsyncIterator[DirectTransaction]:
        """Give a transaction of the hot path: few statements over many rows, in as few trips as possible.

        Committed by its own `commit`, else rolled back. Raises `StorageError` as `write` does.
        """
        try:
            async with self._writing or self._writing_rows, self._rows_writer.transaction() as transaction:
                yield transaction
        except (exc.SQLAlchemyError, OSError) as error:
            raise translate(error).with_traceback(error.__traceback__) from None
        except self._driver_errors as error:
            raise translate_driver(error, "a transaction of rows").with_traceback(error.__traceback__) from None
        if transaction.committed:
            self.commits += 1

    @property
    def rows_connection_number(self) -> int:
        """The `connection_number` of the latest transaction of `write_rows`, or of `connect_rows`; 0 before."""
        return self._rows_writer.connection_number

    async def connect_rows(self) -> None:
        """Make the connection of `write_rows` now, so that what is read from here on is known to be of its server.

        Raises `StorageError`.
        """
        async with self.write_rows():
            pass

    async def ping(self) -> None:
        """Ask the database whether it is there. Raises `StorageUnavailable`."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._rows_writer.close()
        await self._writers.dispose()
        if self.is_sqlite:
            await self._readers.dispose()

    async def upgrade(self, revision: str = "head") -> None:
        """Bring the schema up to `revision`. Several processes may do so at once: one works, the others wait."""
        if revision == "head" and await self.revision() == revisions.head():
            return  # as at nearly every start
        from storage import migrating

        await self._migrate(migrating.upgrade, revision)

    async def downgrade(self, revision: str) -> None:
        """Bring the schema down to `revision` (`base` for none at all)."""
        from storage import migrating

        await self._migrate(migrating.downgrade, revision)

    async def replace(
        self, revision: str, content: Iterable[tuple[str, Iterator[bytes]]], loaded: Callable[[int], None]
    ) -> None:
        """Put `content` (each table's name and lines, see `storage.copying`) of `revision` in place of everything.

        One transaction: it happens altogether or not at all. Raises `StorageError`.
        """
        from storage import migrating

        await self.close()

        def migration(connection: Connection, revision: str) -> None:
            migrating.replace(connection, revision, lambda filled: copying.load(filled, content, loaded))

        await self._migrate(migration, revision)

    def knows(self, revision: str) -> bool:
        """Tell if this version can work with content of `revision`."""
        from storage import migrating

        return migrating.knows(revision)

    async def revision(self) -> str | None:
        """Return the schema's revision, `None` before the first migration."""
        if self.is_sqlite and not self._path.exists():
            return None
        async with self.read() as connection:
            return await connection.run_sync(revisions.current)

    async def head(self) -> str:
        """Return the revision this version of the product works with."""
        return revisions.head()

    async def bind_secrets(self, check_value: bytes) -> None:
        """Tie the database to the secrets that `check_value` stands for, or check that it is tied to them.

        Raises `SecretsMismatch`.
        """
        stored = await self._check_value()
        if stored is None:
            try:
                async with self.write() as connection:
                    await connection.execute(insert(secrets_binding).values(id=1, check_value=check_value))
            except Conflict:  # another process was first
                stored = await self._check_value()
            else:
                return
        if stored is None or not hmac.compare_digest(stored, check_value):
            raise SecretsMismatch("this database was made with other secrets than the gateway's secrets file")

    async def _check_value(self) -> bytes | None:
        async with self.read() as connection:
            value = await connection.scalar(select(secrets_binding.c.check_value))
            return None if value is None else bytes(value)

    async def _migrate(self, migration: Migration, revision: str) -> None:
        """Run a migration on a connection of its own: it may take its time, and SQLite checks references at its end."""
        engine = (
            _sqlite_engine(self._url, self._path, writer=True, migrating=True)
            if self.is_sqlite
            else create_async_engine(
                self._url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": CONNECT_SECONDS}
            )
        )
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migration, revision)
        except (exc.SQLAlchemyError, OSError) as error:
            raise translate(error).with_traceback(error.__traceback__) from None
        finally:
            await engine.dispose()
        # prepared statements and cached plans of the old schema
        await self.close()


def _asyncpg_errors() -> tuple[type[Exception], ...]:
    import asyncpg  # one that uses SQLite does not load it

    return asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError


def _read_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise ValueError("the database URL cannot be read") from None
    backend = {"postgres": "postgresql"}.get(parsed.get_backend_name(), parsed.get_backend_name())
    driver = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}.get(backend)
    if driver is None or parsed.drivername not in (backend, f"{backend}+{driver}", "postgres"):
        raise ValueError("the database URL must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://")
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise ValueError("the database URL must name a file: sqlite+aiosqlite:///path/to/stampgate.db")
        if sqlite3.sqlite_version_info < OLDEST_VERSION:
            raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or later is needed")
    return parsed.set(drivername=f"{backend}+{driver}")


def _sqlite_engine(
    url: URL, path: Path, *, writer: bool, pool_size: int | None = None, migrating: bool = False
) -> AsyncEngine:
    pool: dict[str, Any] = (
        {"poolclass": NullPool}
        if pool_size is None
        else {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": POOL_WAIT_SECONDS}
    )
    engine = create_async_engine(
        url,
        hide_parameters=True,
        async_creator=opener(path, writer=writer, migrating=migrating),
        **pool,
    )
    # The driver begins nothing by itself (isolation_level=None). A writer takes the write lock at once: reading first
    # in a deferred transaction and writing later fails, or loses updates, when somebody else wrote in between.
    begin, pooled = "BEGIN IMMEDIATE" if writer else "BEGIN", pool_size is not None

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if pooled and isinstance(driver, OneHopConnection):
            driver.begin_with_next(begin)
        else:  # a migration, which must wait for its turn before it looks at anything
            connection.exec_driver_sql(begin)

    @event.listens_for(engine.sync_engine, "handle_error")
    def _reopen(context: ExceptionContext) -> None:
        if is_file_trouble(context.original_exception):
            context.is_disconnect = True

    return engine


def _postgres_engine(url: URL, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=POOL_WAIT_SECONDS,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": {"application_name": revisions.APPLICATION_NAME, **POSTGRES_PLANNING},
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _refuse_closed(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        """Replace a pooled connection whose server went away meanwhile; asks the socket, not the server."""
        if dbapi_connection.driver_connection.is_closed():
            raise exc.DisconnectionError("closed by the server")

    return engine
