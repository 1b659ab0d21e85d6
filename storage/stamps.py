"""Stamps, which are never changed, and the presence row of each person that follows from them.

`read_batch` and `commit_batch` are the hot path: a few statements for all stamps of one moment, built once in this
module, each in one trip to the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    column,
    insert,
    or_,
    select,
    table,
    type_coerce,
    update,
)

from storage.incoming import RowsStatement, RowsWrite
from storage.schema import Duration, Id, Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.direct import DirectTransaction

stamps = Table(
    "stamps",
    metadata,
    Column("id", Id, primary_key=True),
    # No references to companies and devices: they are never deleted, and PostgreSQL would lock their rows each time
    Column("company_id", Id, nullable=False),
    # Checked at the commit: a check inside a statement of many rows makes SQLite copy every page it touches
    Column("user_id", Id, ForeignKey("users.id", deferrable=True, initially="DEFERRED"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("stamp_id", Id, nullable=False),
    Column("action", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("tier", String(16), nullable=False),
    Column("device_id", Id),
    Column("link_version", Integer),
    Column("request_id", Id, nullable=False),
    UniqueConstraint("user_id", "sequence"),
    # The person first: a client's UUID is random, and in front it would make each stamp write a page of its own
    UniqueConstraint("user_id", "stamp_id"),
    Index(None, "company_id", "at"),
)

presence = Table(
    "presence",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("company_id", Id, nullable=False),
    Column("state", String(8), nullable=False),
    Column("since", Instant, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("worked_day", String(10), nullable=False),
    Column("worked_seconds", Duration, nullable=False),
    Column("open_since", Instant),
    Column("clock_out_missing", Boolean, nullable=False),
    # Counts the changes, so that a write can make sure that nothing has happened since it was read
    Column("version", Integer, nullable=False, server_default="0"),
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """One stamp as it was recorded; `at` is Unix seconds."""

    id: str
    company_id: str
    user_id: str
    sequence: int
    stamp_id: str
    action: str
    at: float
    tier: str
    device_id: str | None
    link_version: int | None
    request_id: str


class PresenceRow(NamedTuple):
    """What is true of one person after `sequence` stamps; times are Unix seconds.

    A tuple because 64 of them are made in each batch. `active` is the person's, read in the same statement. `version`
    tells this row from a later one, since nothing locks it.
    """

    user_id: str
    company_id: str
    state: str
    since: float
    sequence: int
    worked_day: str
    worked_seconds: float
    open_since: float | None
    clock_out_missing: bool
    active: bool
    version: int


class NewStamp(NamedTuple):
    """A stamp to insert, in the order of `_INSERT_STAMPS`; `at_ms` is Unix milliseconds, as stored."""

    id: str
    company_id: str
    user_id: str
    sequence: int
    stamp_id: str
    action: str
    tier: str
    device_id: str | None
    link_version: int | None
    request_id: str
    at_ms: int


class NewPresence(NamedTuple):
    """What is true of a person from now on, in the order of `_SAVE_PRESENCE`; times are milliseconds, as stored.

    `version`: of the row it follows from; its own is the next.
    """

    user_id: str
    state: str
    sequence: int
    worked_day: str
    clock_out_missing: bool
    version: int
    since_ms: int
    worked_ms: int
    open_since_ms: int | None


NO_DAY: Final = "0001-01-01"
"""`worked_day` of somebody who has never stamped."""

# users.py builds on this module; the few columns needed here are named instead of imported
_people: Final = table("users", column("id", Id), column("active", Boolean))

_ADD_PRESENCE: Final = insert(presence)
_NEW_PRESENCE: Final[Mapping[str, Any]] = {
    "state": "out",
    "sequence": 0,
    "worked_day": NO_DAY,
    "worked_seconds": 0.0,
    "open_since": None,
    "clock_out_missing": False,
    "version": 0,
}

_PAGE: Final = 64
"""Stamps read at a time when walking back: a person's week and more."""

_STAMPS: Final = select(*stamps.c)

_PRESENCE: Final = select(
    presence.c.user_id,
    presence.c.company_id,
    presence.c.state,
    type_coerce(presence.c.since, BigInteger),
    presence.c.sequence,
    presence.c.worked_day,
    type_coerce(presence.c.worked_seconds, BigInteger),
    type_coerce(presence.c.open_since, BigInteger),
    presence.c.clock_out_missing,
    _people.c.active,
    presence.c.version,
).join_from(presence, _people, _people.c.id == presence.c.user_id)

_READ_PRESENCE: Final = RowsStatement(
    {"user_id": "text", "stamp_id": "text"},
    """
    SELECT p.user_id, p.company_id, p.state, p.since, p.sequence, p.worked_day, p.worked_seconds, p.open_since,
           p.clock_out_missing, u.active, p.version, s.stamp_id AS repeats
    FROM incoming AS i JOIN presence AS p ON p.user_id = i.user_id JOIN users AS u ON u.id = p.user_id
    LEFT JOIN stamps AS s ON s.user_id = i.user_id AND s.stamp_id = i.stamp_id
    """,
    answers=(*PresenceRow._fields, "repeats"),
)
_FIND_REPEATS: Final = RowsStatement(
    {"user_id": "text", "stamp_id": "text"},
    """
    SELECT s.id, s.company_id, s.user_id, s.sequence, s.stamp_id, s.action, s.at, s.tier, s.device_id, s.link_version,
           s.request_id
    FROM incoming AS i JOIN stamps AS s ON s.stamp_id = i.stamp_id AND s.user_id = i.user_id
    """,
    answers=[one.name for one in fields(Stamp)],
)
_INSERT_STAMPS: Final = RowsStatement(
    {
        "id": "text",
        "company_id": "text",
        "user_id": "text",
        "sequence": "integer",
        "stamp_id": "text",
        "action": "text",
        "tier": "text",
        "device_id": "text",
        "link_version": "integer",
        "request_id": "text",
        "at": "bigint",
    },
    """
    INSERT {or_rollback}
    INTO stamps (id, company_id, user_id, sequence, stamp_id, action, tier, device_id, link_version, request_id, at)
    SELECT * FROM incoming
    """,
)
_SAVE_PRESENCE: Final = RowsStatement(
    {
        "user_id": "text",
        "state": "text",
        "sequence": "integer",
        "worked_day": "text",
        "clock_out_missing": "boolean",
        "version": "bigint",
        "since": "bigint",
        "worked_seconds": "bigint",
        "open_since": "bigint",
    },
    """
    UPDATE {or_rollback} presence
    SET state = i.state, sequence = i.sequence, worked_day = i.worked_day, clock_out_missing = i.clock_out_missing,
        since = i.since, worked_seconds = i.worked_seconds, open_since = i.open_since, version = i.version + 1
    FROM incoming AS i JOIN users AS u ON u.id = i.user_id AND u.active
    WHERE presence.user_id = i.user_id AND presence.version = i.version
    """,
)

_RECORD: Final = RowsWrite(
    {"added": _INSERT_STAMPS, "changed": _SAVE_PRESENCE},
    # Everybody locks in the same order, so that two statements never wait for each other. Whoever had to wait looks at
    # the row of `presence` anew: what somebody else has written meanwhile, a correction too, is not in `unchanged`, nor
    # are people who were deactivated, since that is another version as well.
    """
    unchanged AS (
        SELECT p.user_id
        FROM changed AS c JOIN presence AS p ON p.user_id = c.user_id AND p.version = c.version
        JOIN users AS u ON u.id = c.user_id AND u.active
        ORDER BY p.user_id FOR UPDATE OF p
    ),
    judged AS (SELECT (SELECT count(*) FROM unchanged) = (SELECT count(*) FROM changed) AS is_true),
    moved AS (
        UPDATE presence AS p
        SET state = c.state, sequence = c.sequence, worked_day = c.worked_day, clock_out_missing = c.clock_out_missing,
            since = c.since, worked_seconds = c.worked_seconds, open_since = c.open_since, version = c.version + 1
        FROM changed AS c, judged WHERE p.user_id = c.user_id AND judged.is_true
    ),
    recorded AS (
        INSERT INTO stamps (id, company_id, user_id, sequence, stamp_id, action, tier, device_id, link_version,
                            request_id, at)
        SELECT added.* FROM added, judged WHERE judged.is_true
    )
    SELECT is_true FROM judged
    """,
)


def _presence_row(row: Sequence[Any]) -> PresenceRow:
    user_id, company_id, state, since, sequence, day, worked, opened, missing, active, version, *_ = row
    return PresenceRow(
        user_id,
        company_id,
        state,
        since / 1000,
        sequence,
        day,
        worked / 1000,
        None if opened is None else opened / 1000,
        bool(missing),
        bool(active),
        version,
    )


def _stamp(row: Sequence[Any]) -> Stamp:
    return Stamp(*row)


def _raw_stamp(row: Sequence[Any]) -> Stamp:
    stamp = Stamp(*row)
    return replace(stamp, at=stamp.at / 1000)


async def add_presence(connection: AsyncConnection, user_id: str, company_id: str, at: float) -> None:
    """Insert the presence of a new person, who is out. `users.add` does so for everybody."""
    await add_presences(connection, [(user_id, company_id, at)])


async def add_presences(connection: AsyncConnection, people: Sequence[tuple[str, str, float]]) -> None:
    """Insert the presence of many new people, each `(user_id, company_id, since)`."""
    if people:
        rows = [
            {**_NEW_PRESENCE, "user_id": user_id, "company_id": company_id, "since": since}
            for user_id, company_id, since in people
        ]
        await connection.execute(_ADD_PRESENCE, rows)


async def count_change(connection: AsyncConnection, user_id: str) -> None:
    """Make a person's presence another version: what was judged by the one before is not written any more."""
    await connection.execute(
        update(presence).where(presence.c.user_id == user_id).values(version=presence.c.version + 1)
    )


async def read_presence(connection: AsyncConnection, user_id: str) -> PresenceRow | None:
    """Return one person's presence, without locking it."""
    row = (await connection.execute(_PRESENCE.where(presence.c.user_id == user_id))).one_or_none()
    return None if row is None else _presence_row(row)


async def read_batch(
    transaction: DirectTransaction, pairs: Sequence[tuple[str, str]]
) -> tuple[dict[str, PresenceRow], dict[tuple[str, str], Stamp]]:
    """Begin and read what a batch of stamps depends on: `(user_id, stamp_id)` of each, 1 to 256 of them.

    Returns the presence of these people (unknown ids are left out), and the stamps that exist already, keyed by the
    pair. Nobody is kept from writing meanwhile on PostgreSQL: `commit_batch` finds out whether anybody did.
    """
    found = await transaction.fetch(_READ_PRESENCE, list(dict.fromkeys(pairs)))
    repeated = [(row[0], row[-1]) for row in found if row[-1] is not None]
    # Seldom, after a lost answer; a stamp never changes, so it is the same a moment later.
    repeats = map(_raw_stamp, await transaction.fetch(_FIND_REPEATS, repeated)) if repeated else ()
    return {row[0]: _presence_row(row) for row in found}, {(one.user_id, one.stamp_id): one for one in repeats}


async def commit_batch(
    transaction: DirectTransaction, inserts: Sequence[NewStamp], changed: Sequence[NewPresence]
) -> None:
    """Insert the stamps, update the presence of the people they change (nobody twice) and commit.

    Their presence may have been read long ago: it is written only over the version that it follows from.

    Raises (at the end of the transaction's block) `Conflict`, and has written nothing, when somebody's presence is no
    longer that version, when somebody is not active any more, on `stamps.user_id,stamps.sequence`, and on
    `stamps.user_id,stamps.stamp_id`.
    """
    await transaction.commit(_RECORD, inserts, changed)


async def stamps_since(connection: AsyncConnection, user_id: str, start: float, first: str) -> list[Stamp]:
    """Return a person's stamps from the latest one with action `first` before `start` on, oldest first.

    Walks back over (user_id, sequence), which every stamp keeps up anyway: an index by time would cost each stamp more
    than these seldom reads are worth.
    """
    found: list[Stamp] = []
    newest = _STAMPS.where(stamps.c.user_id == user_id).order_by(stamps.c.sequence.desc()).limit(_PAGE)
    page = newest
    while True:
        rows = [_stamp(row) for row in await connection.execute(page)]
        for stamp in rows:
            found.append(stamp)
            if stamp.at < start and stamp.action == first:
                return found[::-1]
        if len(rows) < _PAGE:
            return found[::-1]
        page = newest.where(stamps.c.sequence < rows[-1].sequence)


async def list_(
    connection: AsyncConnection,
    company_id: str | None,
    *,
    user_id: str | None = None,
    start: float | None = None,
    end: float | None = None,
    after: Stamp | None = None,
    limit: int = 100,
) -> list[Stamp]:
    """Return stamps with `start <= at < end`, newest first, at most `limit`, those behind the stamp `after`.

    `company_id` `None` means all companies.
    """
    statement = _STAMPS.order_by(stamps.c.at.desc(), stamps.c.id.desc()).limit(limit)
    if company_id is not None:
        statement = statement.where(stamps.c.company_id == company_id)
    if user_id is not None:
        statement = statement.where(stamps.c.user_id == user_id)
    if start is not None:
        statement = statement.where(stamps.c.at >= start)
    if end is not None:
        statement = statement.where(stamps.c.at < end)
    if after is not None:
        statement = statement.where(or_(stamps.c.at < after.at, and_(stamps.c.at == after.at, stamps.c.id < after.id)))
    return [_stamp(row) for row in await connection.execute(statement)]
