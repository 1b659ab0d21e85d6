"""A backup beside a running gateway, and what is restored from it: the same people, terminals and phones go on."""

from __future__ import annotations

import asyncio
import json
import stat
import zipfile
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from crypto.secrets_file import Secrets
from gateway.backups.archive import _checksum
from storage import copying, lockouts, stamps
from storage.database import Database
from storage.revisions import head
from storage.schema import metadata
from tests.gateway.cli.command_line import Ran, Shell
from tests.gateway.crowd import hire
from tests.gateway.house import House, open_house, serving
from tests.gateway.phone import Phone
from tests.servers.databases import KINDS, Kind, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.gateway.terminal import Terminal

PIN = "907311"


class Place:
    """A directory and a database, and the command line for them."""

    def __init__(self, directory: Path, url: str) -> None:
        self.url = url
        self.data_dir = directory / "data"
        self.shell = Shell(directory, STAMPGATE_DATABASE_URL=url)

    async def run(self, *arguments: str) -> Ran:
        return await asyncio.to_thread(self.shell.run, *arguments)

    async def refused(self, *arguments: str) -> str:
        ran = await self.run(*arguments)
        assert (ran.code, ran.err.count("\n")) == (1, 1), ran
        return ran.err


@asynccontextmanager
async def place(kind: Kind, directory: Path, *, migrated: bool = False) -> AsyncIterator[Place]:
    directory.mkdir()
    async with fresh_url(kind, directory, migrated=migrated) as url:
        yield Place(directory, url)


@pytest.fixture(params=KINDS)
async def here(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(request.param, tmp_path / "here", migrated=True) as made:
        yield made


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Place]:
    """For what is about files, or about revisions, whose migrations have tests on both databases."""
    async with place("sqlite", tmp_path / "here", migrated=True) as made:
        yield made


@asynccontextmanager
async def running(where: Place) -> AsyncIterator[House]:
    async with open_house(where.data_dir, database_url=where.url) as house:
        yield house


async def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a database, but for the counter that a restore puts forward."""
    database = Database(url)
    try:
        async with database.read() as connection:
            found = {
                name: sorted(map(tuple, (await connection.execute(table.select())).all()), key=str)
                for name, table in metadata.tables.items()
                if name != "trust_counter"
            }
    finally:
        await database.close()
    return found


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
async def test_terminals_and_phones_go_on_after_a_restore(source: Kind, target: Kind, tmp_path: Path) -> None:
    """Into the other kind of database; into its own go the other tests' backups."""
    file = tmp_path / "backup.zip"
    async with place(source, tmp_path / "a", migrated=True) as before:
        async with running(before) as house:
            await house.person("1042")
            terminal = await house.terminal(allowed_networks=["127.0.0.0/8"])
            assert (await terminal.sign_in("1042", PIN)).status == 200
            assert (await terminal.act("clock_in")).status == 201
            made = await before.run("backup", str(file), "--json")
            assert made.code == 0, made.err
            assert made.json["rows"]["stamps"] == 1
            kept = await contents(before.url)
            assert (await terminal.act("break_start")).status in (201, 401)  # lost with the old database
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

        async with place(target, tmp_path / target) as after:
            restored = await after.run("restore", str(file))
            assert restored.code == 0, restored.err
            assert await contents(after.url) == kept
            secrets = after.data_dir / "secrets.json"
            assert secrets.read_bytes() == (before.data_dir / "secrets.json").read_bytes()
            assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
            assert [one.name for one in after.data_dir.iterdir() if "restored" in one.name] == []
            await _all_go_on(after, house, terminal)


async def _all_go_on(after: Place, house: House, terminal: Terminal) -> None:
    async with (
        serving(after.data_dir, database_url=after.url, clock=house.clock) as (gateway, url),
        aiohttp.ClientSession() as http,
    ):
        await _goes_on(terminal, http, url)
        phone = Phone(http, url, house.link)
        assert (await phone.sign_in("1042", PIN)).status == 200
        async with gateway.administration.database.read() as connection:
            rows = await stamps.list_(connection, house.company_id, limit=10)
        assert [row.action for row in rows] == ["clock_out", "clock_in"], after.url


async def _goes_on(terminal: Terminal, http: aiohttp.ClientSession, url: str) -> None:
    terminal.http, terminal.url, terminal.authority = http, url, url.partition("//")[2]
    assert (await terminal.device()).body["state"] == "active"
    signed_in = await terminal.sign_in("1042", PIN)
    assert signed_in.status == 200
    assert signed_in.body["status"]["state"] == "in"
    assert (await terminal.act("clock_out")).status == 201


async def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(
    here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(here) as house:
        numbers = {"users": "1043", "audit_events": "1044"}
        loop, lines, people = asyncio.get_running_loop(), copying.lines, house.gateway.administration.people

        async def add(number: str) -> None:
            await people.add(house.company_id, full_name="Ada Winter", personnel_number=number, actor="cli")

        async def lines_after_a_change(connection: AsyncConnection, table: Table) -> AsyncGenerator[list[bytes], None]:
            if table.name in numbers:
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(add(numbers[table.name]), loop))
            async with aclosing(lines(connection, table)) as pages:
                async for page in pages:
                    yield page

        monkeypatch.setattr(copying, "lines", lines_after_a_change)
        await add("1042")
        ran = await here.run("backup", str(tmp_path / "x.zip"), "--json")
        assert ran.code == 0, ran.err
        assert len(await people.list_(house.company_id)) == 3
    # One person and the event of it are written together.
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        created = archive.read("tables/audit_events.jsonl").count(b'"user.created"')
    assert created == ran.json["rows"]["users"] == 1


async def test_more_rows_than_a_page_come_back_each_once_and_what_counts_up_goes_on_counting(
    here: Place, tmp_path: Path
) -> None:
    """Ids the database gives, and the numbers of trust changes, which sessions begun after the backup carry."""
    file, key = tmp_path / "backup.zip", b"k" * 32
    async with running(here) as house:
        site = house.gateway.administration
        await hire(site, house.company_id, [f"{number:03}" for number in range(11)], PIN)
        name = 'Ärmel "11" \u2028 Čapek'
        await site.people.add(house.company_id, full_name=name, personnel_number="011", actor="cli")
        async with site.database.write() as connection:
            await connection.execute(lockouts.pin_failures.insert(), [{"subject": key, "at": at} for at in range(3)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copying, "PAGE_ROWS", 5)
            made = await here.run("backup", str(file), "--json")
        assert (made.code, made.json["rows"]["users"]) == (0, 12)
        kept, seen = await contents(here.url), house.gateway.feed.seen
    assert (await here.run("restore", str(file), "--force", "--yes")).code == 0
    assert await contents(here.url) == kept
    async with running(here) as house:
        database = house.gateway.administration.database
        assert house.gateway.feed.seen > seen + 1000
        async with database.write() as connection:
            await connection.execute(lockouts.pin_failures.insert(), {"subject": key, "at": 9})
            ids = (await connection.scalars(lockouts.pin_failures.select())).all()
        assert len(set(ids)) == 4


async def test_a_backup_of_an_older_revision_is_migrated_up(on_sqlite: Place, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    async with running(on_sqlite) as house:
        await house.person("1042")
    assert (await on_sqlite.run("db", "downgrade", "0002", "--yes")).code == 0
    assert (await on_sqlite.run("backup", str(file), "--json")).json["revision"] == "0002"
    assert (await on_sqlite.run("restore", str(file), "--force", "--yes")).code == 0
    assert (await on_sqlite.run("db", "status", "--json")).json == {
        "revision": head(),
        "head": head(),
        "up_to_date": True,
    }
    assert [one["personnel_number"] for one in (await on_sqlite.run("user", "list", "--json")).items] == ["1042"]


async def test_nothing_is_replaced_without_force_and_old_secrets_are_put_aside(
    on_sqlite: Place, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    async with running(on_sqlite):
        pass
    assert (await on_sqlite.run("backup", str(file))).code == 0
    kept = await contents(on_sqlite.url)
    assert "database already" in await on_sqlite.refused("restore", str(file))
    assert "exists already" in await on_sqlite.refused("backup", str(file))
    async with place("sqlite", tmp_path / "there") as there:
        assert (await there.run("init")).code == 0
        others = there.data_dir / "secrets.json"
        before = others.read_bytes()
        assert "database already" in await there.refused("restore", str(file))
        (there.data_dir / "stampgate.db").unlink()
        for left in there.data_dir.glob("stampgate.db-*"):
            left.unlink()
        assert "other secrets" in await there.refused("restore", str(file))
        assert others.read_bytes() == before
        earlier = there.data_dir / "secrets.json.before-restore"
        earlier.write_bytes(b"put aside by an earlier restore")
        assert (await there.run("restore", str(file), "--force", "--yes")).code == 0
        assert (there.data_dir / "secrets.json.before-restore-2").read_bytes() == before
        assert earlier.read_bytes() == b"put aside by an earlier restore"
        assert Secrets.load(others).check_value == Secrets.load(on_sqlite.data_dir / "secrets.json").check_value
    assert await contents(on_sqlite.url) == kept


async def test_a_restore_that_fails_leaves_everything_as_it_was(here: Place, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    async with running(here) as house:
        await house.person("1042")
    assert (await here.run("backup", str(file))).code == 0
    kept, secrets = await contents(here.url), (here.data_dir / "secrets.json").read_bytes()
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        middles = [
            info.header_offset + 30 + len(info.filename) + 20 + info.compress_size // 2
            for info in archive.infolist()
            if info.filename in ("secrets.json", "tables/users.jsonl", "tables/audit_events.jsonl")
        ]
    assert len(middles) == 3
    for at in (*middles, whole.index(b"manifest.json") + 60):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "damaged" in await here.refused("restore", str(file), "--force", "--yes")
    file.write_bytes(whole[: len(whole) // 2])
    assert "no backup" in await here.refused("restore", str(file), "--force", "--yes")
    await _rewrite(file, whole, "0999")
    assert "update first" in await here.refused("restore", str(file), "--force", "--yes")
    await _rewrite(file, whole, "0001")  # its tables are not those of that revision
    assert "tables that its revision does not know" in await here.refused("restore", str(file), "--force", "--yes")
    assert await contents(here.url) == kept
    assert (here.data_dir / "secrets.json").read_bytes() == secrets


async def _rewrite(file: Path, whole: bytes, revision: str) -> None:
    """Give a backup another revision, its checksum too."""
    file.write_bytes(whole)
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(held["manifest.json"])
    content.pop("checksum")
    content["revision"] = revision
    content["checksum"] = _checksum(content)
    held["manifest.json"] = json.dumps(content).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in held.items():
            archive.writestr(name, data)


async def test_a_gateway_at_work_on_postgresql_is_not_replaced_under_its_feet(tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    async with place("postgresql", tmp_path / "here", migrated=True) as here, running(here):
        assert (await here.run("backup", str(file))).code == 0
        assert "stop them first" in await here.refused("restore", str(file), "--force", "--yes")


async def test_where_there_is_nothing_nothing_is_backed_up(tmp_path: Path) -> None:
    async with place("sqlite", tmp_path / "here") as here:
        assert "secrets.json" in await here.refused("backup", str(tmp_path / "x.zip"))
        assert not (tmp_path / "x.zip").exists()
        assert not here.data_dir.exists()
        (tmp_path / "note.txt").write_text("no backup")
        assert "no backup" in await here.refused("restore", str(tmp_path / "note.txt"))
        assert not (here.data_dir / "secrets.json").exists()
