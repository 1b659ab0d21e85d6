"""What every database promises: durable transactions, snapshots, outages that end by themselves, and no values told."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from storage import companies, direct, stamps, users
from storage import database as database_module
from storage import sqlite as sqlite_module
from storage.database import Conflict, Database, SecretsMismatch, StatementRefused, StorageUnavailable
from storage.sqlite import OneHopConnection
from tests.servers.databases import fresh_url
from tests.servers.link import Link
from tests.storage.rows import NOW, add_company, add_user, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "4711081500"


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[Database]:
    async with fresh_url("sqlite", tmp_path) as url:
        database = Database(url)
        yield database
        await database.close()


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[tuple[Database, Link]]:
    """A PostgreSQL database reached over a link that the test can cut."""
    async with fresh_url("postgresql", tmp_path) as url:
        parsed = make_url(url)
        link = Link(parsed.port or 5432)
        await link.mend()
        database = Database(parsed.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False))
        yield database, link
        await link.mend()
        await database.close()
        await link.cut()


async def _names(database: Database) -> list[str]:
    async with database.read() as connection:
        return [company.name for company in await companies.all_(connection)]


async def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    await add_company(database, name="kept")
    before = database.commits
    with pytest.raises(LookupError):
        async with database.write() as connection:
            await companies.add(
                connection, companies.Company(id=new_id(), name="lost", timezone="UTC", locale="de", created_at=NOW)
            )
            raise LookupError
    assert await _names(database) == ["kept"]
    assert database.commits == before


async def test_commits_are_counted(database: Database) -> None:
    before = database.commits
    await add_company(database)
    await add_company(database)
    assert database.commits == before + 2


async def test_a_reader_sees_one_moment_and_never_waits(database: Database) -> None:
    await add_company(database, name="first")
    async with database.read() as connection:
        assert len(await companies.all_(connection)) == 1
        async with asyncio.timeout(5):
            await add_company(database, name="second")
        assert len(await companies.all_(connection)) == 1
    assert await _names(database) == ["first", "second"]


async def test_a_reader_sees_nothing_of_an_open_transaction(database: Database) -> None:
    async with database.write() as connection:
        await companies.add(
            connection, companies.Company(id=new_id(), name="open", timezone="UTC", locale="de", created_at=NOW)
        )
        async with asyncio.timeout(5):
            assert await _names(database) == []
    assert await _names(database) == ["open"]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises((StatementRefused, StorageUnavailable)):
        async with database.read() as connection:
            await companies.add(
                connection, companies.Company(id=new_id(), name="x", timezone="UTC", locale="de", created_at=NOW)
            )
    assert await _names(database) == []


async def test_concurrent_writers_lose_no_update(database: Database) -> None:
    company = await add_company(database)

    async def rotate() -> int | None:
        async with database.write() as connection:
            return await companies.set_link(connection, company.id, None, NOW)

    versions = await asyncio.gather(*(rotate() for _ in range(25)))
    assert sorted(version or 0 for version in versions) == list(range(1, 26))


async def test_ping_answers(database: Database) -> None:
    await database.ping()


async def test_secrets_are_bound_once_and_compared_ever_after(database: Database) -> None:
    with pytest.raises(SecretsMismatch):
        await asyncio.gather(*(database.bind_secrets(bytes([n]) * 32) for n in range(2)))
    first = bytes(32) if await _accepts(database, bytes(32)) else bytes([1]) * 32
    await database.bind_secrets(first)
    with pytest.raises(SecretsMismatch):
        await database.bind_secrets(b"x" * 32)


async def _accepts(database: Database, check_value: bytes) -> bool:
    try:
        await database.bind_secrets(check_value)
    except SecretsMismatch:
        return False
    return True


async def test_a_conflict_is_named_by_its_columns(database: Database) -> None:
    company = await add_company(database)
    await add_user(database, company.id, personnel_number=SECRET, email="ada@example.org")
    with pytest.raises(Conflict) as number:
        await add_user(database, company.id, personnel_number=SECRET)
    with pytest.raises(Conflict) as email:
        await add_user(database, company.id, email="ada@example.org")
    assert number.value.constraint == "users.company_id,users.personnel_number"
    assert email.value.constraint == "users.email"
    with pytest.raises(Conflict) as reference:
        await add_user(database, new_id())
    assert "users" not in reference.value.constraint or reference.value.constraint == "fk_users_company_id"


async def test_no_value_reaches_an_exception_or_a_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    company = await add_company(database)
    await add_user(database, company.id, personnel_number=SECRET)
    told: list[str] = []
    with pytest.raises(Conflict) as conflict:
        await add_user(database, company.id, personnel_number=SECRET)
    told += traceback.format_exception(conflict.value)
    for statement, value in (("SELECT no_such_column, :value", SECRET), ("SELECT CAST(:value AS INT) AS x", object())):
        with pytest.raises(StatementRefused) as refused:
            async with database.read() as connection:
                await connection.execute(text(statement), {"value": value})
        told += traceback.format_exception(refused.value)
    with pytest.raises(StatementRefused) as typed:
        async with database.write() as connection:
            await connection.execute(users.users.update().values(last_sign_in_at=SECRET))
    told += traceback.format_exception(typed.value)
    assert SECRET not in "".join(told)
    assert "object object" not in "".join(told)
    assert SECRET not in caplog.text


async def test_a_cancelled_writer_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    started = asyncio.Event()

    async def hold() -> None:
        async with database.write() as connection:
            await companies.add(
                connection, companies.Company(id=new_id(), name="held", timezone="UTC", locale="de", created_at=NOW)
            )
            started.set()
            await asyncio.sleep(60)

    holder = asyncio.create_task(hold())
    await started.wait()
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    await add_company(database, name="after")
    assert await _names(database) == ["after"]


async def test_a_writer_cancelled_inside_a_statement_blocks_nobody(database: Database) -> None:
    async def write() -> None:
        await add_company(database, name="maybe")

    for delay in (0, 1, 2, 3, 5, 8):
        task = asyncio.create_task(write())
        for _ in range(delay):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await add_company(database, name="after")
    assert "after" in await _names(database)


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://localhost/x",
        "not a url",
        "sqlite+aiosqlite://",
        "sqlite:///:memory:",
        "sqlite+pysqlcipher:///x.db",
        "postgresql+psycopg://localhost/x",
    ],
)
def test_a_url_of_another_kind_is_refused_in_one_line(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^the database URL [^\n]*$"):
        Database(wrong)


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(ValueError, match="too old"):
        Database(f"sqlite:///{tmp_path / 'x.db'}")


async def test_sqlite_files_are_private_and_durable(sqlite_database: Database, tmp_path: Path) -> None:
    await add_company(sqlite_database)
    files = sorted((tmp_path / "data").iterdir())
    assert [file.name for file in files] == ["stampgate.db", "stampgate.db-shm", "stampgate.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    async with sqlite_database.write() as connection:
        values = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        ]
    assert values == ["wal", 2, 5000, 1]


def test_of_two_who_make_the_file_at_once_the_second_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    path.write_text("the first one's")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    sqlite_module.create_private_file(path)
    assert path.read_text() == "the first one's"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.db"]


async def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    await database.upgrade()
    await database.close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


async def test_another_process_writes_beside_us(sqlite_database: Database, tmp_path: Path) -> None:
    path = tmp_path / "data" / "stampgate.db"
    await add_company(sqlite_database)
    script = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)\n"
        "for n in range(200):\n"
        "    c.execute('BEGIN IMMEDIATE')\n"
        "    c.execute('UPDATE trust_counter SET value = value + 1')\n"
        "    c.execute('COMMIT')\n"
    )
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
    for _ in range(100):
        async with sqlite_database.write() as connection:
            await connection.execute(text("UPDATE trust_counter SET value = value + 1"))
    assert await other.wait() == 0
    async with sqlite_database.read() as connection:
        assert (await connection.execute(text("SELECT value FROM trust_counter"))).scalar_one() == 300


async def test_a_sqlite_file_locked_for_too_long_is_an_outage_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 0.05)
    async with fresh_url("sqlite", tmp_path) as url:
        database = Database(url)
        other = sqlite3.connect(tmp_path / "data" / "stampgate.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            await add_company(database)
        assert await _names(database) == []
        other.execute("COMMIT")
        other.close()
        await add_company(database, name="again")
        assert await _names(database) == ["again"]
        await database.close()


async def test_a_sqlite_file_that_cannot_be_opened_is_an_outage_that_ends(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    database = Database(f"sqlite:///{tmp_path / 'data' / 'x.db'}")
    with pytest.raises(StorageUnavailable):
        await database.ping()
    with pytest.raises(StorageUnavailable):
        await database.upgrade()
    (tmp_path / "data").unlink()
    await database.upgrade()
    await database.ping()
    await database.close()


async def test_a_missing_sqlite_file_is_an_outage_and_only_a_migration_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = Database(f"sqlite:///{path}")
    with pytest.raises(StorageUnavailable, match="CANTOPEN"):
        await database.ping()
    with pytest.raises(StorageUnavailable, match="CANTOPEN"):
        await add_company(database)
    assert not path.exists()
    await database.upgrade()
    await add_company(database)
    await database.close()


async def test_a_failed_disk_is_an_outage_after_which_the_file_is_opened_anew(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_company(sqlite_database, name="before")
    opened: list[object] = []
    connect, run = sqlite3.connect, OneHopConnection.run

    async def failing(self: OneHopConnection, function: object, *arguments: object) -> object:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR | 2 << 8, "SQLITE_IOERR_READ"
        raise error

    def counting(path: Path, **options: Any) -> sqlite3.Connection:
        opened.append(path)
        made: sqlite3.Connection = connect(path, **options)
        return made

    monkeypatch.setattr(sqlite3, "connect", counting)
    monkeypatch.setattr(OneHopConnection, "run", failing)
    with pytest.raises(StorageUnavailable, match="disk I/O error"):
        await add_company(sqlite_database, name="lost")
    assert opened == []
    monkeypatch.setattr(OneHopConnection, "run", run)
    await add_company(sqlite_database, name="after")
    assert len(opened) == 1
    assert await _names(sqlite_database) == ["before", "after"]


async def test_after_a_failed_disk_the_connection_of_the_stamps_is_opened_anew_too(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when rolling back succeeds, as it does when nothing could be begun."""
    pairs = [(new_id(), new_id())]
    async with sqlite_database.write_rows() as transaction:
        await stamps.read_batch(transaction, pairs)
    broken = sqlite_database._rows_writer._driver

    def failing(connection: sqlite3.Connection, *statement: object) -> object:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR | 2 << 8, "SQLITE_IOERR_READ"
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(direct, "_begin_and_fetch", failing)
        with pytest.raises(StorageUnavailable, match="disk I/O error"):
            async with sqlite_database.write_rows() as transaction:
                await stamps.read_batch(transaction, pairs)
    async with sqlite_database.write_rows() as transaction:
        assert await stamps.read_batch(transaction, pairs) == ({}, {})
    assert sqlite_database._rows_writer._driver is not broken


async def test_a_file_that_is_no_database_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"something else " * 1000)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(StorageUnavailable):
        await database.ping()
    await database.close()


async def test_two_processes_may_switch_a_new_file_to_wal_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("CREATE TABLE x (y)")
    blocker.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 0.05)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(StorageUnavailable):
        async with database.write():
            pass
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 5.0)

    async def release() -> None:
        await asyncio.sleep(0.05)
        blocker.execute("COMMIT")
        blocker.close()

    releasing = asyncio.create_task(release())
    async with database.write():
        pass
    await releasing
    await database.close()


async def test_postgres_cut_off_is_an_outage_that_ends(linked: tuple[Database, Link]) -> None:
    database, link = linked
    await add_company(database, name="before")
    await link.cut()
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await add_company(database, name="lost")
        with pytest.raises(StorageUnavailable):
            await database.ping()
        with pytest.raises(StorageUnavailable):
            await database.upgrade()
    await link.mend()
    await add_company(database, name="after")
    assert await _names(database) == ["before", "after"]


async def test_postgres_cut_off_inside_a_transaction_keeps_nothing_of_it(linked: tuple[Database, Link]) -> None:
    database, link = linked
    company = companies.Company(id=new_id(), name="half", timezone="UTC", locale="de", created_at=NOW)
    with pytest.raises(StorageUnavailable):
        async with database.write() as connection:
            await companies.add(connection, company)
            await link.cut()
            await companies.get(connection, company.id)
    await link.mend()
    assert await _names(database) == []


async def test_a_postgres_that_hangs_is_an_outage_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "COMMAND_SECONDS", 0.3)
    monkeypatch.setattr(database_module, "CONNECT_SECONDS", 0.3)
    async with fresh_url("postgresql", tmp_path) as url:
        parsed = make_url(url)
        link = Link(parsed.port or 5432)
        await link.mend()
        database = Database(parsed.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False))
        await add_company(database, name="before")
        link.freeze()
        async with asyncio.timeout(10):
            with pytest.raises(StorageUnavailable):
                await add_company(database, name="lost")
            with pytest.raises(StorageUnavailable):
                await database.ping()
        await link.mend()
        await add_company(database, name="after")
        assert "after" in await _names(database)
        await database.close()
        await link.cut()


async def test_no_free_connection_is_an_outage_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "POOL_WAIT_SECONDS", 0.05)
    async with fresh_url("sqlite", tmp_path) as url:
        database = Database(url, pool_size=1)
        async with database.read():
            with pytest.raises(StorageUnavailable, match="no free"):
                await database.ping()
        await database.ping()
        await database.close()


async def test_a_postgres_that_refuses_us_is_an_outage(tmp_path: Path) -> None:
    async with fresh_url("postgresql", tmp_path) as url:
        database = Database(make_url(url).set(database="no_such").render_as_string(hide_password=False))
        with pytest.raises(StorageUnavailable, match="3D000"):
            await database.ping()
        await database.close()


async def test_the_process_ends_although_nobody_closed_the_database(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from storage.database import Database\n"
        "async def main():\n"
        "    database = Database(sys.argv[1])\n"
        "    await database.ping()\n"
        "asyncio.run(main())\n"
    )
    root = Path(database_module.__file__).parents[1]
    async with fresh_url("sqlite", tmp_path) as url:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, url],
            cwd=root,
            timeout=30,
            check=False,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
    assert done.returncode == 0
