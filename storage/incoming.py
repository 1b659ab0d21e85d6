"""Many rows in one statement: what the hot path writes and looks up, as a common table expression named `incoming`.

A batch of 64 must not be 64 executions. PostgreSQL gets one text per column, its values parted by a control character,
so that the text of the statement and its preparation are the same for every size (with arrays the driver looks at each
element several times, which costs more than all else it does). SQLite gets a list of VALUES, which is one step of its
machine: each step gives the GIL away and has to win it back from a busy event loop. (Rows as JSON were measured on
both: three times the cost.) For the same reason the rows that come back from SQLite are one row of JSON.

These statements go to the driver as they are, without SQLAlchemy's compilation: everything in them is a name from this
package, all values are parameters.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS_AT_MOST: Final = 256
"""Rows in one statement: each number of rows is a prepared statement of its own on SQLite."""

_BETWEEN: Final = "\x1f"
_NULL: Final = "\x1e"


class RowsStatement:
    """A statement over incoming rows with these columns, each given as its PostgreSQL type.

    `body` follows the common table expression. In it, `{or_rollback}` becomes SQLite's conflict clause, without which
    a statement of many rows copies every page it touches, to be able to undo itself alone. `answers` names the columns
    of the rows that come back, if any do.
    """

    def __init__(self, columns: Mapping[str, str], body: str, *, answers: Sequence[str] = ()) -> None:
        self.columns: Final = dict(columns)
        names = ", ".join(columns)
        self._postgres: Final = f"WITH {self.postgres_rows('incoming', 1)} {body.format(or_rollback='')}"
        row = f"({', '.join('?' * len(columns))})"
        rest = body.format(or_rollback="OR ROLLBACK")
        if answers:
            rest = f"SELECT json_group_array(json_array({', '.join(answers)})) FROM ({rest})"  # noqa: S608

        @cache
        def sqlite(count: int) -> str:
            return f"WITH incoming({names}) AS (VALUES {', '.join([row] * count)}) {rest}"

        self._sqlite: Final = sqlite

    def for_sqlite(self, rows: Sequence[Sequence[Any]]) -> tuple[str, tuple[Any, ...]]:
        """Return statement and parameters over `rows`: 1 to 256 tuples in the order of the columns."""
        _require_size(rows)
        return self._sqlite(len(rows)), tuple(chain.from_iterable(rows))

    @staticmethod
    def rows_from_sqlite(found: str) -> list[Any]:
        """Return the rows that a statement with `answers` has found."""
        return cast("list[Any]", json.loads(found))

    def for_postgres(self, rows: Sequence[Sequence[Any]]) -> tuple[str, tuple[str, ...]]:
        """Return the same for PostgreSQL."""
        return self._postgres, self.postgres_values(rows)

    def postgres_rows(self, name: str, first: int) -> str:
        """Return a common table expression of the rows, its parameters numbered from `first`."""
        arrays = ", ".join(
            f"string_to_array(${place}::text, chr({ord(_BETWEEN)}), chr({ord(_NULL)}))::{kind}[]"
            for place, kind in enumerate(self.columns.values(), first)
        )
        return f"{name}({', '.join(self.columns)}) AS (SELECT * FROM unnest({arrays}))"  # noqa: S608

    @staticmethod
    def postgres_values(rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
        """Return the parameters of `postgres_rows`."""
        _require_size(rows)
        return tuple(map(_joined, zip(*rows, strict=True)))


class RowsWrite:
    """What a transaction writes over several sets of rows: all of them, or nothing when something is not as it was.

    On SQLite a statement for each set, in their order; each must write as many rows as it is given. On PostgreSQL one
    statement for all, which is one trip and commits by itself: `postgres` follows the common table expressions of the
    rows, each under the name of its statement here, and answers whether it has written.
    """

    def __init__(self, statements: Mapping[str, RowsStatement], postgres: str) -> None:
        self._statements: Final = tuple(statements.values())
        rows, first = [], 1
        for name, statement in statements.items():
            rows.append(statement.postgres_rows(name, first))
            first += len(statement.columns)
        self._postgres: Final = f"WITH {', '.join(rows)}, {postgres}"

    def for_sqlite(self, sets: Sequence[Sequence[Sequence[Any]]]) -> list[tuple[str, tuple[Any, ...], int]]:
        """Return each statement with its parameters and how many rows it must write; a set of rows for each."""
        return [
            (*statement.for_sqlite(rows), len(rows)) for statement, rows in zip(self._statements, sets, strict=True)
        ]

    def for_postgres(self, sets: Sequence[Sequence[Sequence[Any]]]) -> tuple[str, tuple[str, ...]]:
        """Return the statement and its parameters over the same sets."""
        return self._postgres, tuple(chain.from_iterable(map(RowsStatement.postgres_values, sets)))


def _require_size(rows: Sequence[Sequence[Any]]) -> None:
    if not 1 <= len(rows) <= ROWS_AT_MOST:
        raise ValueError(f"1 to {ROWS_AT_MOST} rows, not {len(rows)}")


def _joined(column: Sequence[Any]) -> str:
    """Return the values of one column as one text. Raises `ValueError` if one contains what parts them."""
    text = _BETWEEN.join([_NULL if value is None else str(value) for value in column])
    if text.count(_BETWEEN) != len(column) - 1 or (_NULL in text and text.count(_NULL) != column.count(None)):
        raise ValueError("a value contains a control character")
    return text
