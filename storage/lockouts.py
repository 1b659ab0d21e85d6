"""Wrong PINs of the last year, and the locks that follow from wrong PINs.

A failure is keyed by a keyed hash of company, tier and number, for known and unknown numbers alike, so that the table
tells nobody which numbers exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from storage.schema import Id, Instant, RowNumber, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

pin_failures = Table(
    "pin_failures",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("subject", LargeBinary(32), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "subject", "at"),
    Index(None, "at"),
)

lockouts = Table(
    "lockouts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, nullable=False),
    Column("tier", String(16), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("user_id", Id),
    Column("reason", String(32), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("cleared_at", Instant),
    Index(None, "company_id", "since"),
    Index(None, "subject"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockout:
    """One lock. `subject`: hex of the keyed hash of a number, a device id or a company id, as `scope` says.

    `until` `None`: until somebody clears it. `user_id`: the person behind the number, if there is one.
    """

    id: str
    company_id: str
    tier: str
    scope: str
    subject: str
    reason: str
    since: float
    until: float | None = None
    user_id: str | None = None
    cleared_at: float | None = None

    @property
    def whom(self) -> str | None:
        """Whom the audit trail names. A number nobody has is named by nothing: its hash is of use to nobody there."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return f"{self.scope}:{self.subject}" if self.scope in ("device", "company") else None


@dataclass(frozen=True, slots=True)
class Standing:
    """The locks of one number at one moment, as SQL remembers them. Times are Unix seconds.

    `until`: the end of the lock in force that ends last. `is_disabled`: locked until a new PIN. `cleared_at`: when the
    number was last unlocked by hand; what failed before that counts towards no lock any more.
    """

    is_disabled: bool = False
    until: float | None = None
    cleared_at: float | None = None


_COLUMNS: Final = tuple(lockouts.c)
_SELECT: Final = select(*_COLUMNS).order_by(lockouts.c.since.desc(), lockouts.c.id.desc())
_RECORD: Final = insert(pin_failures)


def _holds(now: float | ColumnElement[float]) -> ColumnElement[bool]:
    return or_(lockouts.c.until.is_(None), lockouts.c.until > now)


_STOOD: Final = select(lockouts.c.until, lockouts.c.cleared_at).where(lockouts.c.tier == bindparam("tier"))
_now, _since = bindparam("now", type_=Instant), bindparam("since", type_=Instant)
_STANDING: Final = _STOOD.where(
    lockouts.c.subject == bindparam("own"),
    or_(lockouts.c.cleared_at > _since, and_(lockouts.c.cleared_at.is_(None), _holds(_now))),
).union_all(
    # By time, because of a place there may be a pause for each quarter of an hour of a year.
    _STOOD.where(
        lockouts.c.company_id == bindparam("company_id"),
        lockouts.c.since > _since,
        lockouts.c.subject.in_(bindparam("places", expanding=True)),
        lockouts.c.cleared_at.is_(None),
        _holds(_now),
    )
)


@cache
def _counting(moments: int) -> Select[Any]:
    """Return the statement that counts wrong tries since so many moments; made once, every sign-in runs it."""
    at, subject = pin_failures.c.at, pin_failures.c.subject
    counts = (func.count().filter(at >= bindparam(f"moment_{number}", type_=Instant)) for number in range(moments))
    wanted = subject.in_(bindparam("subjects", expanding=True)), at >= bindparam("first", type_=Instant)
    return select(subject, *counts).where(*wanted).group_by(subject)


async def record_failure(connection: AsyncConnection, subject: bytes, at: float) -> None:
    """Write down one wrong try against `subject` (a keyed hash of 32 bytes)."""
    await connection.execute(_RECORD, {"subject": subject, "at": at})


async def record_failures(connection: AsyncConnection, subjects: Collection[bytes], at: float) -> None:
    """Write down one wrong try for each of `subjects`."""
    if subjects:
        await connection.execute(_RECORD, [{"subject": subject, "at": at} for subject in subjects])


async def count_failures(connection: AsyncConnection, subject: bytes, since: float) -> int:
    """Count the wrong tries against `subject` at or after `since` (Unix seconds)."""
    return (await count_failures_of(connection, (subject,), since))[subject]


async def count_failures_of(connection: AsyncConnection, subjects: Collection[bytes], since: float) -> dict[bytes, int]:
    """Count the wrong tries against each of `subjects` at or after `since`; 0 where there are none."""
    counted = await count_failures_since(connection, subjects, (since,))
    return {subject: counts[0] for subject, counts in counted.items()}


async def count_failures_since(
    connection: AsyncConnection, subjects: Collection[bytes], moments: Sequence[float]
) -> dict[bytes, list[int]]:
    """Count the wrong tries against each of `subjects` at or after each of `moments` (Unix seconds)."""
    values = {"subjects": list(subjects), "first": min(moments)}
    values |= {f"moment_{number}": moment for number, moment in enumerate(moments)}
    found = await connection.execute(_counting(len(moments)), values)
    return {subject: [0] * len(moments) for subject in subjects} | {bytes(row[0]): list(row[1:]) for row in found}


async def latest_failure(connection: AsyncConnection, subject: bytes, number: int) -> float | None:
    """Return when the latest wrong try but `number` was (0: the latest), in Unix seconds."""
    statement = select(pin_failures.c.at).where(pin_failures.c.subject == subject)
    at: float | None = await connection.scalar(statement.order_by(pin_failures.c.at.desc()).offset(number).limit(1))
    return at


async def forget_failures(connection: AsyncConnection, subjects: Collection[bytes]) -> int:
    """Delete the wrong tries against `subjects` (a PIN reset) and return how many there were."""
    result = await connection.execute(delete(pin_failures).where(pin_failures.c.subject.in_(subjects)))
    return result.rowcount


async def purge(connection: AsyncConnection, before: float) -> int:
    """Delete the wrong tries before `before` (Unix seconds) and return how many."""
    return (await connection.execute(delete(pin_failures).where(pin_failures.c.at < before))).rowcount


async def add_lock(connection: AsyncConnection, lockout: Lockout) -> None:
    """Insert `lockout`."""
    values: dict[str, Any] = {column.name: getattr(lockout, column.name) for column in _COLUMNS}
    await connection.execute(insert(lockouts), values)


async def get(connection: AsyncConnection, lockout_id: str) -> Lockout | None:
    """Return one lock, over or not."""
    row = (await connection.execute(_SELECT.where(lockouts.c.id == lockout_id))).one_or_none()
    return None if row is None else Lockout(**row._mapping)


async def active(connection: AsyncConnection, company_id: str | None, now: float) -> list[Lockout]:
    """Return the locks in force at `now`, newest first; `company_id` `None` means all companies."""
    statement = _SELECT.where(lockouts.c.cleared_at.is_(None), _holds(now))
    if company_id is not None:
        statement = statement.where(lockouts.c.company_id == company_id)
    return [Lockout(**row._mapping) for row in await connection.execute(statement)]


async def uncleared(connection: AsyncConnection, subjects: Collection[str]) -> list[Lockout]:
    """Return the locks of `subjects` that nobody cleared, also those that ended by themselves, newest first."""
    statement = _SELECT.where(lockouts.c.cleared_at.is_(None), lockouts.c.subject.in_(subjects))
    return [Lockout(**row._mapping) for row in await connection.execute(statement)]


async def standing(
    connection: AsyncConnection,
    tier: str,
    company_id: str,
    number: bytes,
    places: Collection[str],
    now: float,
    since: float,
) -> Standing:
    """Return what holds at `now` for a number (its keyed hash) and the places that its try concerns.

    Those are the terminal's or the company's id. What was unlocked before `since` (Unix seconds), and pauses of places
    that began before it, are passed over.
    """
    disabled, until, cleared = False, None, None
    values: dict[str, Any] = {"tier": tier, "company_id": company_id, "own": number.hex(), "places": list(places)}
    values |= {"now": now, "since": since}
    for ending, cleared_at in await connection.execute(_STANDING, values):
        if cleared_at is None:
            disabled = disabled or ending is None
            until = max(until or 0.0, ending or 0.0) or None
        else:
            cleared = max(cleared or 0.0, cleared_at)
    return Standing(disabled, until, cleared)


async def clear(connection: AsyncConnection, ids: Collection[str], at: float) -> list[Lockout]:
    """End locks by hand. Return those that were not cleared before, with `cleared_at` set."""
    result = await connection.execute(
        update(lockouts)
        .where(lockouts.c.id.in_(ids), lockouts.c.cleared_at.is_(None))
        .values(cleared_at=at)
        .returning(*_COLUMNS)
    )
    return [Lockout(**row._mapping) for row in result]
