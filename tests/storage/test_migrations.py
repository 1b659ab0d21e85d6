"""The schema goes up and down on both databases and is what the tables in the code say."""

from __future__ import annotations

import asyncio
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import storage
from storage import companies, phone_links, users
from storage.companies import Company
from storage.database import Database, StorageError, metadata
from storage.phone_links import PhoneLink
from storage.revisions import MIGRATIONS
from storage.trust_changes import latest
from storage.users import User
from tests.storage.rows import NOW, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

for module in pkgutil.iter_modules(storage.__path__, "storage."):
    import_module(module.name)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


def _constraints(connection: Connection) -> dict[str, set[str | None]]:
    seen = inspect(connection)
    return {
        table: {key["name"] for key in (*seen.get_foreign_keys(table), *seen.get_unique_constraints(table))}
        for table in metadata.tables
    }


async def test_the_migrated_schema_is_what_the_code_says(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.run_sync(_differences) == []
        assert await connection.run_sync(_tables) == {*metadata.tables, "alembic_version"}
        found = await connection.run_sync(_constraints)
    for name, table in metadata.tables.items():
        wanted = {str(one.name) for one in table.constraints if one.name and str(one.name).startswith(("fk_", "uq_"))}
        assert found[name] == wanted


async def test_revisions_are_told_as_alembic_tells_them_and_down_and_up_again_leaves_nothing_and_everything(
    empty_url: str,
) -> None:
    database = Database(empty_url)
    script = ScriptDirectory(str(MIGRATIONS))

    async def by_alembic() -> str | None:
        async with database.read() as connection:
            return await connection.run_sync(lambda one: MigrationContext.configure(one).get_current_revision())

    assert script.get_heads() == [await database.head()]
    for one in reversed(list(script.walk_revisions())):
        await database.upgrade(one.revision)
        assert await database.revision() == one.revision == await by_alembic()
    await database.downgrade("base")
    assert await database.revision() is await by_alembic() is None
    async with database.read() as connection:
        assert await connection.run_sync(_tables) == {"alembic_version"}
    await database.upgrade()
    assert await database.revision() == await database.head()
    async with database.read() as connection:
        assert await latest(connection) == 0
    await database.close()


async def test_many_processes_may_start_at_once(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(6)]
    await asyncio.gather(*(database.upgrade() for database in databases))
    assert await databases[0].revision() == await databases[0].head()
    for database in databases:
        await database.close()


async def test_an_empty_database_has_no_revision(empty_url: str) -> None:
    database = Database(empty_url)
    assert await database.revision() is None
    await database.close()


async def test_the_link_that_hangs_is_known_and_nobody_is_told_old_failures_again(database: Database) -> None:
    company = Company(id=new_id(), name="Rosenthal", timezone="Europe/Berlin", locale="de", created_at=NOW)
    ada = User(id=new_id(), company_id=company.id, full_name="Ada", role="employee", created_at=NOW)
    async with database.write() as connection:
        await companies.add(connection, company)
        await users.add(connection, ada)
        await users.mark_sign_in(connection, ada.id, NOW)
        await companies.set_link(connection, company.id, b"a" * 32, NOW)
        await companies.set_link(connection, company.id, b"b" * 32, NOW)
    await database.downgrade("0006")
    await database.upgrade()
    async with database.read() as connection:
        assert await phone_links.all_(connection) == [PhoneLink(company.id, 2, b"b" * 32)]
        found = await users.get(connection, ada.id)
    assert found is not None
    assert found.failures_told_at == NOW


async def test_a_migration_that_breaks_references_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    await database.upgrade()
    await database.downgrade("-1")  # so that there is something to do

    def orphaning(config: object, revision: str) -> None:
        connection = config.attributes["connection"]  # type: ignore[attr-defined]
        connection.exec_driver_sql("INSERT INTO accounts VALUES ('nobody', 'hash', 0)")

    monkeypatch.setattr("storage.migrating.head", lambda: "later")
    monkeypatch.setattr("storage.migrating.command.upgrade", orphaning)
    with pytest.raises(StorageError, match="broken reference"):
        await database.upgrade()
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM accounts")).scalar_one() == 0
    await database.close()
