"""Wrong PINs of the last year, and the locks that follow from wrong PINs.

A failure is keyed by a keyed hash of company, tier and number, for known and unknown numbers alike, so that the table
tells nobody which numbers exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Index, LargeBinary, String, Table, and_, delete, func, insert, or_, select, update

from storage.schema import Id, Instant, RowNumber, metadata

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement
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
    """What SQL says about one number at one moment. Times are Unix seconds.

    `until`: the end of the lock in force that ends last, `None` without one. `is_disabled`: locked until a new PIN.
    `failures`: when the number's wrong tries were that count towards the rolling window, oldest first.
    """

    is_disabled: bool
    until: float | None
    failures: tuple[float, ...]


_COLUMNS: Final = tuple(lockouts.c)
_SELECT: Final = select(*_COLUMNS).order_by(lockouts.c.since.desc(), lockouts.c.id.desc())
_RECORD: Final = insert(pin_failures)
_COUNT: Final = select(pin_failures.c.subject, func.count()).group_by(pin_failures.c.subject)


def _holds(now: float) -> ColumnElement[bool]:
    return or_(lockouts.c.until.is_(None), lockouts.c.until > now)


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
    statement = _COUNT.where(pin_failures.c.subject.in_(subjects), pin_failures.c.at >= since)
    counts = dict.fromkeys(subjects, 0)
    counts.update({bytes(subject): count for subject, count in await connection.execute(statement)})
    return counts


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
    connection: AsyncConnection, tier: str, number: bytes, places: Collection[str], now: float, window: float
) -> Standing:
    """Return what holds at `now` for a number (its keyed hash) and the places that its try concerns.

    Those are the terminal's or the company's id. `window` is in seconds; what failed before an unlock counts no more.
    """
    own, start = number.hex(), now - window
    statement = select(lockouts.c.subject, lockouts.c.until, lockouts.c.cleared_at).where(
        lockouts.c.tier == tier,
        lockouts.c.subject.in_((own, *places)),
        or_(lockouts.c.cleared_at > start, and_(lockouts.c.cleared_at.is_(None), _holds(now))),
    )
    is_disabled, until = False, None
    for subject, ending, cleared_at in await connection.execute(statement):
        if cleared_at is not None:
            start = max(start, cleared_at) if subject == own else start
        elif ending is None:
            is_disabled = True
        else:
            until = max(until or ending, ending)
    failed = select(pin_failures.c.at).where(pin_failures.c.subject == number, pin_failures.c.at > start)
    times = (await connection.execute(failed.order_by(pin_failures.c.at))).scalars()
    return Standing(is_disabled, until, tuple(times))


async def clear(connection: AsyncConnection, ids: Collection[str], at: float) -> list[Lockout]:
    """End locks by hand. Return those that were not cleared before, with `cleared_at` set."""
    result = await connection.execute(
        update(lockouts)
        .where(lockouts.c.id.in_(ids), lockouts.c.cleared_at.is_(None))
        .values(cleared_at=at)
        .returning(*_COLUMNS)
    )
    return [Lockout(**row._mapping) for row in result]
