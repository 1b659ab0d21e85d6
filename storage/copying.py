"""Every row of a database, out and in again: what a backup holds, the same for SQLite and PostgreSQL.

Tables are read as the database itself describes them, not as this version's code does, so a backup of an older revision
goes into a schema of that revision and is migrated from there.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import JSON, Column, MetaData, Table, func, insert, inspect, select, text, tuple_

from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

PAGE_ROWS: Final = 1000
"""Rows read or written at a time: a million stamps need no more memory than a thousand."""

SEQUENCE_LEAP: Final = 1_000_000_000
"""What the counter of trust changes is put forward by. Sessions begun after the backup carry numbers that the restored
counter would give out again, and the endings of those sessions would be taken for older than they are."""

_VERSIONS: Final = "alembic_version"


def tables(connection: Connection) -> list[Table]:
    """Return all tables but the schema's revision, each behind those it refers to."""
    seen, held = inspect(connection), MetaData()
    names = [name for name, _ in seen.get_sorted_table_and_fkc_names() if name not in (None, _VERSIONS)]
    found = []
    for name in map(str, names):
        keys = seen.get_pk_constraint(name)["constrained_columns"]
        columns = [
            Column(
                column["name"],
                JSON(none_as_null=True) if isinstance(column["type"], JSON) else column["type"],
                primary_key=column["name"] in keys,
                autoincrement=False,
            )
            for column in seen.get_columns(name)
        ]
        found.append(Table(name, held, *columns))
    return found


async def count(connection: AsyncConnection, table: Table) -> int:
    """Return how many rows a table has."""
    return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def lines(connection: AsyncConnection, table: Table) -> AsyncGenerator[list[bytes], None]:
    """Give the rows as lines of JSON, the columns' names first, a page at a time in the order of the primary key."""
    keys = list(table.primary_key.columns)
    places = [table.columns.keys().index(key.name) for key in keys]
    yield [_line([column.name for column in table.columns])]
    last: list[Any] | None = None
    while True:
        query = select(table).order_by(*keys).limit(PAGE_ROWS)
        if last is not None:
            query = query.where(tuple_(*keys) > tuple_(*last))
        rows = (await connection.execute(query)).all()
        if not rows:
            return
        yield [_line([_written(value) for value in row]) for row in rows]
        last = [rows[-1][place] for place in places]


def load(connection: Connection, found: Iterable[tuple[str, Iterator[bytes]]], loaded: Callable[[int], None]) -> None:
    """Fill the tables of a fresh schema with the lines of each; `loaded` hears of each page's number of rows.

    Raises `StorageError` for what does not fit.
    """
    there = {table.name: table for table in tables(connection)}
    for table in reversed(there.values()):  # what migrations put in, the backup has too
        connection.execute(table.delete())
    content = dict(found)
    if unknown := content.keys() - there.keys():
        raise StorageError(f"the backup has tables that its revision does not know: {', '.join(sorted(unknown))}")
    for name, table in there.items():
        if name in content:
            _load_table(connection, table, content[name], loaded)
    _settle(connection, there)


def _load_table(connection: Connection, table: Table, content: Iterator[bytes], loaded: Callable[[int], None]) -> None:
    names = json.loads(next(content, b"[]"))
    if names != table.columns.keys():
        raise StorageError(f"the backup's table {table.name} has other columns than its revision")
    page: list[dict[str, Any]] = []
    for line in content:
        page.append(dict(zip(names, map(_read, json.loads(line)), strict=True)))
        if len(page) == PAGE_ROWS:
            connection.execute(insert(table), page)
            loaded(len(page))
            page = []
    if page:
        connection.execute(insert(table), page)
        loaded(len(page))


def _settle(connection: Connection, there: dict[str, Table]) -> None:
    """Let what counts go on behind what was loaded, and have references checked before the schema is touched again."""
    counter = there["trust_counter"]
    connection.execute(counter.update().values(value=counter.c.value + SEQUENCE_LEAP))
    if connection.dialect.name != "postgresql":
        return
    for table in there.values():
        for key in table.primary_key.columns:
            named = {"table": f'"{table.name}"', "column": key.name}
            sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), named)
            if sequence is not None:
                highest = connection.scalar(select(func.max(key)))
                if highest is not None:
                    connection.execute(text("SELECT setval(:sequence, :to)"), {"sequence": sequence, "to": highest})
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


def _written(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": b64encode(value).decode()}
    return {"json": value} if isinstance(value, dict | list) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return b64decode(value["bytes"], validate=True) if "bytes" in value else value["json"]
    return value


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
