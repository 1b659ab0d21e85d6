"""Running Alembic from the installed package: no configuration file, one transaction, one process at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import text

from storage.errors import StorageError
from storage.revisions import APPLICATION_NAME, MIGRATIONS, current, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    Migration = Callable[[Connection, str], None]

ADVISORY_LOCK: Final = 0x5374616D70676174
"""Key of the PostgreSQL advisory lock that lets one starting process migrate ("Stampgat" in ASCII)."""

LEAVING_TRIES: Final = 20
"""Tenths of a second until whoever is still connected is taken for a gateway."""


def upgrade(connection: Connection, revision: str) -> None:
    """Upgrade inside the transaction of `connection`."""
    _exclude_others(connection)
    if revision == "head" and current(connection) == head():
        return  # another process was first
    command.upgrade(_config(connection), revision)
    _check_references(connection)


def downgrade(connection: Connection, revision: str) -> None:
    """Downgrade inside the transaction of `connection`."""
    _exclude_others(connection)
    command.downgrade(_config(connection), revision)
    _check_references(connection)


def replace(connection: Connection, revision: str, fill: Callable[[Connection], None]) -> None:
    """Make everything anew at `revision`, fill it, and bring it up to date, inside the transaction of `connection`.

    Raises:
        StorageError: gateways are still at work on it.
    """
    _exclude_others(connection)
    _require_nobody_else(connection)
    if current(connection) is not None:
        command.downgrade(_config(connection), "base")
    command.upgrade(_config(connection), revision)
    fill(connection)
    command.upgrade(_config(connection), "head")
    _check_references(connection)


def knows(revision: str) -> bool:
    """Tell if this package can migrate from `revision`."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _exclude_others(connection: Connection) -> None:
    """On SQLite the transaction itself (BEGIN IMMEDIATE) excludes others."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def _require_nobody_else(connection: Connection) -> None:
    """A gateway at work would go on with what it remembers of the old content. SQLite cannot tell."""
    if connection.dialect.name != "postgresql":
        return
    for _ in range(LEAVING_TRIES):  # our own connections of a moment ago may be just leaving
        others = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = :name AND pid <> pg_backend_pid()"
            ),
            {"name": APPLICATION_NAME},
        )
        if not others:
            return
        connection.execute(text("SELECT pg_sleep(0.1), pg_stat_clear_snapshot()"))
    raise StorageError("gateways are still connected to this database: stop them first")


def _check_references(connection: Connection) -> None:
    """SQLite rebuilds tables to change them, which needs its checks off meanwhile: check everything at the end."""
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StorageError("a migration left a broken reference; nothing was changed")
