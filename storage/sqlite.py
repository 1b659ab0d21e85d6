"""How a SQLite file is opened: private, durable, and with one hop to the driver's thread per statement."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import aiosqlite

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

BUSY_SECONDS: Final = 5.0
"""How long a statement waits for another process (the command line beside a gateway) before it gives up."""

CHECKPOINT_PAGES: Final = 8000
"""Pages in the write-ahead log before they go to the database file (32 MiB). SQLite's 1000 cost an eighth more CPU per
stamp: the pages of the latest stamps are written again and again."""

OLDEST_VERSION: Final = (3, 35, 0)
"""The first SQLite with `RETURNING`; `UPDATE … FROM` and the JSON functions are older."""

_FILE_TROUBLE: Final = frozenset(
    {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes after which a connection is opened anew (sqlite.org/rescode.html)."""

# aiosqlite logs each statement with its values at DEBUG: that must not depend on how the product's log is set up
logging.getLogger("aiosqlite").setLevel(logging.WARNING)


def create_private_file(path: Path) -> None:
    """Make the database file with mode 0600, in a directory of mode 0700 if that is new as well.

    SQLite gives `-wal` and `-shm` the mode of the database. The file itself is never opened here: closing any
    descriptor of a file drops all POSIX locks that this process holds on it, those of open connections included, and
    the next process to leave would then delete the write-ahead log under them (sqlite.org/howtocorrupt.html, section
    2.2). So an empty file is made beside it and linked into place. Raises `OSError`.
    """
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    os.close(descriptor)
    try:
        os.link(beside, path)
    except FileExistsError:  # another process was first
        pass
    finally:
        Path(beside).unlink()


def opener(path: Path, *, writer: bool, migrating: bool = False) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Return what SQLAlchemy calls to get a new connection to `path`.

    `migrating`: the file is made if it is missing, and references are not checked while tables are rebuilt.
    """

    def connect() -> sqlite3.Connection:
        if migrating:
            create_private_file(path)
        elif not path.exists():  # sqlite3 would make an empty file, with the default mode
            raise _cannot_open()
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=256, check_same_thread=False
        )
        try:
            _configure(connection, writer=writer, foreign_keys=not migrating)
        except BaseException:
            connection.close()
            raise
        return connection

    async def open_connection() -> aiosqlite.Connection:
        opened: list[sqlite3.Connection] = []

        def keep() -> sqlite3.Connection:
            opened.append(connect())
            return opened[0]

        connection = OneHopConnection(keep, iter_chunk_size=64)
        connection.daemonise()
        try:
            return await connection
        except BaseException:
            await connection.stopped()
            for one in opened:  # by the time that it was, nobody waited for it any more
                one.close()
            raise

    return open_connection


def is_file_trouble(error: BaseException | None) -> bool:
    """Whether an open connection is of no use any more: its file or disk failed, and only opening anew can help."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _FILE_TROUBLE


def _cannot_open() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    error.sqlite_errorname = "SQLITE_CANTOPEN"
    return error


def _configure(connection: sqlite3.Connection, *, writer: bool, foreign_keys: bool) -> None:
    if writer:
        _use_wal(connection)
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    # FULL: a commit is on the disk when it is acknowledged, also after a power cut (NORMAL may lose it in WAL mode)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
    if not writer:
        connection.execute("PRAGMA query_only=ON")
    # SQLite's own lower() knows ASCII alone: people are called Ärmel and Čapek
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite does not wait when another process is just doing the same: we do."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class OneHopCursor:
    """What SQLAlchemy expects of an aiosqlite cursor, with one trip to the driver's thread instead of four.

    aiosqlite makes, executes, fetches and closes in a trip each; under load every trip waits for the GIL twice. Here a
    statement is executed and its rows are fetched in one.
    """

    __slots__ = ("_connection", "_rows", "arraysize", "description", "lastrowid", "rowcount")

    def __init__(self, connection: OneHopConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> OneHopCursor:
        """Execute one statement and fetch all its rows."""
        self._take(await self._connection.run(_execute, sql, parameters))
        return self

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> OneHopCursor:
        """Execute a statement once for each set of parameters."""
        self._take(await self._connection.run(_executemany, sql, parameters))
        return self

    async def fetchall(self) -> list[Any]:
        """Return the rows that were fetched with the execution."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows; the statement itself was finished with the execution."""
        self._rows = []

    def _take(self, result: tuple[Any, list[Any], int, int | None]) -> None:
        self.description, self._rows, self.rowcount, self.lastrowid = result


def _after_begin(connection: sqlite3.Connection, begin: str, function: Callable[..., Any], *arguments: Any) -> Any:
    connection.execute(begin)
    return function(connection, *arguments)


def _execute(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> tuple[Any, list[Any], int, Any]:
    cursor = connection.execute(sql, parameters)
    rows = cursor.fetchall() if cursor.description is not None else []
    return cursor.description, rows, cursor.rowcount, cursor.lastrowid


def _executemany(
    connection: sqlite3.Connection, sql: str, parameters: Sequence[Sequence[Any]]
) -> tuple[Any, list[Any], int, Any]:
    cursor = connection.executemany(sql, parameters)
    return cursor.description, [], cursor.rowcount, cursor.lastrowid


class OneHopConnection(aiosqlite.Connection):
    """An aiosqlite connection that hands out `OneHopCursor`."""

    def cursor(self) -> OneHopCursor:  # type: ignore[override]  # SQLAlchemy enters what it gets, as with aiosqlite
        """Return a cursor; costs no trip."""
        return OneHopCursor(self)

    _stopping: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread when it has done what it was given."""
        self._stopping = super().stop()
        return self._stopping

    async def stopped(self) -> None:
        """Return when the thread of a connection that could not be opened has ended.

        aiosqlite leaves it alone then, and the thread may report to an event loop that is closed by now.
        """
        if self._stopping is not None:
            await self._stopping

    def daemonise(self) -> None:
        """Let the process end although the thread still waits for work, as SQLAlchemy does for its own."""
        self._thread.daemon = True

    _begin: str | None = None
    _began = False

    def begin_with_next(self, statement: str) -> None:
        """Begin a transaction by `statement`, which travels with the first one inside it: a trip less for each."""
        self._begin = statement

    async def commit(self) -> None:
        """Commit what was begun; a transaction without statements costs no trip."""
        self._begin = None
        if self._began or self.in_transaction:
            await super().commit()
            self._began = False

    async def rollback(self) -> None:
        """Roll back what was begun. The pool asks for it after each commit too: then there is nothing to do."""
        self._begin = None
        if self._began or self.in_transaction:
            await super().rollback()
            self._began = False

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function(sqlite connection, *arguments)` on the driver's thread."""
        if self._connection is None:
            raise _cannot_open()
        if self._begin is not None:
            function, arguments = _after_begin, (self._begin, function, *arguments)
            self._begin, self._began = None, True
        return await self._execute(function, self._conn, *arguments)  # type: ignore[no-untyped-call]  # aiosqlite's
