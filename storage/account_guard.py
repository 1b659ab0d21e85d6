"""The guard of passwords in SQL: tries at an address, those in flight among them, and until when it is locked.

A try is a row from before its hash is computed. Tries at one address wait for each other on the row of that address
(on SQLite on the write lock), so that of many at once no more get through than the limit. Addresses are kept as keyed
hashes, known and unknown ones alike: the tables tell nobody who has a login. Source addresses are subjects of their
own, counted and hashed in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, Index, LargeBinary, Table, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

account_guards = Table(
    "account_guards",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("tried_at", Instant, nullable=False),
    Column("locked_until", Instant),
    Index(None, "tried_at"),
)

account_tries = Table(
    "account_tries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subject", LargeBinary(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("wrong", Boolean, nullable=False),
    Index(None, "subject", "at"),
    Index(None, "at"),
)


async def claim(connection: AsyncConnection, subject: bytes, now: float) -> float | None:
    """Make others at this address wait until the transaction ends; return until when it is locked, if it is or was."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    inserted = dialect.insert(account_guards).values(subject=subject, tried_at=now)
    claimed = inserted.on_conflict_do_update(index_elements=["subject"], set_={"tried_at": now})
    until: float | None = await connection.scalar(claimed.returning(account_guards.c.locked_until))
    return until


async def add_try(connection: AsyncConnection, try_id: str, subject: bytes, now: float) -> None:
    """Reserve a try. The caller has claimed the address and counted."""
    await connection.execute(insert(account_tries).values(id=try_id, subject=subject, at=now, wrong=False))


async def expire(connection: AsyncConnection, subject: bytes, before: float) -> None:
    """Make tries that began before `before` and have no result wrong ones."""
    await connection.execute(
        update(account_tries)
        .where(account_tries.c.subject == subject, account_tries.c.at <= before, account_tries.c.wrong.is_(False))
        .values(wrong=True)
    )


async def count(connection: AsyncConnection, subject: bytes, since: float) -> tuple[int, int]:
    """Count the wrong tries since `since`, and those in flight."""
    statement = (
        select(account_tries.c.wrong, func.count().label("tries"))
        .where(account_tries.c.subject == subject, account_tries.c.at >= since)
        .group_by(account_tries.c.wrong)
    )
    found = {row.wrong: row.tries for row in await connection.execute(statement)}
    return found.get(True, 0), found.get(False, 0)


async def latest(connection: AsyncConnection, subject: bytes) -> float | None:
    """Return when the latest try that was not right began."""
    at: float | None = await connection.scalar(
        select(func.max(account_tries.c.at)).where(account_tries.c.subject == subject)
    )
    return at


async def mark_wrong(connection: AsyncConnection, try_id: str) -> None:
    """Settle a try as wrong."""
    await connection.execute(update(account_tries).where(account_tries.c.id == try_id).values(wrong=True))


async def take_back(connection: AsyncConnection, try_id: str, started_after: float) -> bool:
    """Remove a try that is in flight since after `started_after`; False when it counts as wrong already."""
    result = await connection.execute(
        delete(account_tries).where(
            account_tries.c.id == try_id, account_tries.c.wrong.is_(False), account_tries.c.at > started_after
        )
    )
    return result.rowcount == 1


async def forget_wrong(connection: AsyncConnection, subject: bytes) -> None:
    """Forget the wrong tries: a right one ends a row of them. Those in flight still count."""
    await connection.execute(
        delete(account_tries).where(account_tries.c.subject == subject, account_tries.c.wrong.is_(True))
    )


async def lock(connection: AsyncConnection, subject: bytes, until: float) -> None:
    """Lock an address; after that it has a full new set of tries."""
    await connection.execute(
        update(account_guards).where(account_guards.c.subject == subject).values(locked_until=until)
    )
    await connection.execute(delete(account_tries).where(account_tries.c.subject == subject))


async def clear(connection: AsyncConnection, subject: bytes, now: float) -> None:
    """Forget tries and lock of an address. Claims it first, as every try does, so that nobody waits crosswise."""
    await claim(connection, subject, now)
    await connection.execute(delete(account_tries).where(account_tries.c.subject == subject))
    await connection.execute(
        update(account_guards).where(account_guards.c.subject == subject).values(locked_until=None)
    )


async def locked_until(connection: AsyncConnection, subject: bytes) -> float | None:
    """Return until when an address is locked, if it is or was; makes nobody wait."""
    until: float | None = await connection.scalar(
        select(account_guards.c.locked_until).where(account_guards.c.subject == subject)
    )
    return until


async def purge(connection: AsyncConnection, before: float, now: float) -> None:
    """Delete the tries, and the addresses without a lock, of before `before`."""
    await connection.execute(delete(account_tries).where(account_tries.c.at < before))
    over = or_(account_guards.c.locked_until.is_(None), account_guards.c.locked_until <= now)
    await connection.execute(delete(account_guards).where(and_(account_guards.c.tried_at < before, over)))
