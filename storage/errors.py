"""What can go wrong with the SQL database, told without a single value that was sent to it.

Drivers put values into their messages ("Key (email)=(…) already exists", "invalid input for query argument $2: …"), so
no driver exception leaves this layer: each becomes one of these, raised `from None`.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from sqlalchemy import exc

_SQLITE_OUTAGES: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes that speak of the file and its disk, not of our statement (sqlite.org/rescode.html)."""

_POSTGRES_OUTAGES: Final = (
    "08",  # connection exception
    "25006",  # read-only transaction: a standby after a failover
    "28",  # invalid authorisation
    "3D000",  # the database does not exist
    "40",  # deadlock or serialisation failure: the caller may try again
    "53",  # insufficient resources: disk full, too many connections
    "55P03",  # lock not available
    "57",  # operator intervention: shutdown, starting up, statement timeout
    "58",  # system error
)
"""SQLSTATE prefixes of the same meaning (PostgreSQL manual, appendix A)."""


class StorageError(Exception):
    """Root of what this layer raises. No text contains a value of a statement."""


class StorageUnavailable(StorageError):
    """The database cannot be reached or cannot do its work now; the next use tries again by itself."""


class SecretsMismatch(StorageError):
    """The database belongs to other secrets than this gateway's: nothing it holds could be verified."""


class Conflict(StorageError):
    """A row breaks a constraint, most often a uniqueness. `constraint` names its columns: `users.email`.

    Several columns are joined by commas in the order of the constraint: `users.company_id,users.personnel_number`.
    A broken reference or check is named as the database names it, or is empty when it does not.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__(f"conflict on {constraint or 'a constraint'}")
        self.constraint = constraint


class StatementRefused(StorageError):
    """The database refused a statement for a reason that is neither an outage nor a conflict: a defect of ours."""


def translate(error: BaseException) -> StorageError:
    """Return what `error` (SQLAlchemy's, a driver's or the network's) means, without values."""
    if isinstance(error, exc.IntegrityError):
        return Conflict(_constraint(error.orig))
    if isinstance(error, exc.DBAPIError):
        orig = error.orig
        at_client = isinstance(error, exc.InterfaceError) and not isinstance(orig, sqlite3.Error)
        lost = error.connection_invalidated or at_client
        return _from_driver(getattr(orig, "orig", None) or orig, str(error.statement), lost=lost)
    if isinstance(error, exc.TimeoutError):
        return StorageUnavailable("no free database connection")
    if isinstance(error, OSError):  # TimeoutError is one
        return StorageUnavailable(f"{type(error).__name__}: {error.strerror or 'no answer in time'}")
    if isinstance(error, exc.StatementError):
        return StatementRefused(f"{type(error.orig).__name__} in: {error.statement}")
    return StatementRefused(type(error).__name__)


def translate_driver(error: Exception, statement: str) -> StorageError:
    """Return what an error of sqlite3 or asyncpg itself means; `statement` names what was being done."""
    if isinstance(error, sqlite3.IntegrityError) or str(getattr(error, "sqlstate", None) or "").startswith("23"):
        return Conflict(_constraint(error))
    # asyncpg's errors of the client's side have no SQLSTATE: the connection is closed, busy or broken
    lost = not isinstance(error, sqlite3.Error) and not getattr(error, "sqlstate", None)
    return _from_driver(error, statement, lost=lost)


def _from_driver(driver: BaseException | None, statement: str, *, lost: bool) -> StorageError:
    if isinstance(driver, sqlite3.Error):
        code = getattr(driver, "sqlite_errorcode", None)
        name = getattr(driver, "sqlite_errorname", type(driver).__name__)
        if lost or (code is not None and code & 0xFF in _SQLITE_OUTAGES):
            return StorageUnavailable(f"{name}: {driver}")
        return StatementRefused(f"{name} in: {statement}")
    state = getattr(driver, "sqlstate", None) or ""
    name = f"{type(driver).__name__} {state}".strip()
    # asyncpg's DataError (a value of the wrong type) is an InterfaceError as well as a ValueError
    if (lost and not isinstance(driver, ValueError)) or state.startswith(_POSTGRES_OUTAGES):
        return StorageUnavailable(name)
    return StatementRefused(f"{name} in: {statement}")


def _constraint(orig: BaseException | None) -> str:
    """Name a broken constraint by its columns on both databases, so that callers compare one text."""
    if isinstance(orig, sqlite3.Error):
        # "UNIQUE constraint failed: users.company_id, users.personnel_number": column names, never values
        kind, _, columns = str(orig).partition(" constraint failed: ")
        return columns.replace(" ", "") if columns else kind.split(" ", 1)[0].lower()
    driver = getattr(orig, "orig", None) or orig
    table = getattr(driver, "table_name", None) or ""
    # "Key (company_id, personnel_number)=(…) already exists.": only what stands in the first parentheses
    found = re.match(r"Key \(([^)]*)\)=", getattr(driver, "detail", None) or "")
    if found and getattr(driver, "sqlstate", "") == "23505":
        return ",".join(f"{table}.{column.strip()}" for column in found[1].split(","))
    return str(getattr(driver, "constraint_name", None) or "")
