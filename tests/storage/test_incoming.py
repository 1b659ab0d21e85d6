"""Many rows in one statement: every kind of value arrives as it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.incoming import RowsStatement

if TYPE_CHECKING:
    from storage.database import Database

COLUMNS = {"word": "text", "number": "bigint", "flag": "boolean"}
ROWS = RowsStatement(COLUMNS, "SELECT word, number, flag FROM incoming", answers=tuple(COLUMNS))


async def test_values_arrive_as_they_were_sent(database: Database) -> None:
    rows = [("Čapek, {\"'\\", 1 << 40, True), ("", None, False), ("NULL", -1, None), (None, 0, True)]
    async with database.write_rows() as transaction:
        found = await transaction.fetch(ROWS, rows)
    assert [tuple(row) for row in found] == rows


@pytest.mark.parametrize("value", ["a\x1fb", "\x1e", "a\x1eb"])
async def test_what_parts_the_values_is_refused_or_kept(database: Database, value: str) -> None:
    rows = [(value, 1, True), (None, 2, False)]
    async with database.write_rows() as transaction:
        if database.is_sqlite:
            found = await transaction.fetch(ROWS, rows)
            assert [row[0] for row in found] == [value, None]
        else:
            with pytest.raises(ValueError, match="control character"):
                await transaction.fetch(ROWS, rows)
