"""PIN slips that wait to be fetched: one job for each person who had PINs made, and a sealed slip for each PIN.

A slip is written in the transaction that sets its PIN, so no end of the gateway leaves a PIN that nobody knows. What is
sealed is not readable here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

pin_slip_jobs = Table(
    "pin_slip_jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, ForeignKey("companies.id"), nullable=False),
    Column("started_by", Id, ForeignKey("users.id"), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("finished_at", Instant),
    Index(None, "created_at"),
)

pin_slips = Table(
    "pin_slips",
    metadata,
    Column("job_id", Id, ForeignKey("pin_slip_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    # Whose PIN it is, and which: not known of slips older than these columns.
    Column("user_id", Id),
    Column("set_at", Instant),
    PrimaryKeyConstraint("job_id", "position"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipJob:
    """PINs being set for many people. `total`: how many; `done`: slips written; `touched_at`: its last sign of life."""

    id: str
    company_id: str
    started_by: str
    created_at: float
    touched_at: float
    total: int
    done: int = 0
    finished_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSlip:
    """A slip that waits: whose PIN it holds, and when that was set, in Unix seconds."""

    position: int
    sealed: bytes
    user_id: str | None
    set_at: float | None


_COLUMNS: Final = tuple(pin_slip_jobs.c)


async def add(connection: AsyncConnection, job: SlipJob) -> None:
    """Insert `job`. Raises (at the end of the block) `Conflict` on `pin_slip_jobs.started_by`: there is one already."""
    await connection.execute(
        insert(pin_slip_jobs).values({column.name: getattr(job, column.name) for column in _COLUMNS})
    )


async def started_by(connection: AsyncConnection, user_id: str) -> SlipJob | None:
    """Return the job of the person who started it."""
    row = (await connection.execute(select(*_COLUMNS).where(pin_slip_jobs.c.started_by == user_id))).one_or_none()
    return None if row is None else SlipJob(**row._mapping)


async def next_position(connection: AsyncConnection, job_id: str, now: float) -> int | None:
    """Count one more slip and return its place; None when the job is over. Its row is held until the commit."""
    statement = (
        update(pin_slip_jobs)
        .where(pin_slip_jobs.c.id == job_id, pin_slip_jobs.c.finished_at.is_(None))
        .values(done=pin_slip_jobs.c.done + 1, touched_at=now)
        .returning(pin_slip_jobs.c.done)
    )
    position: int | None = await connection.scalar(statement)
    return position


async def add_slip(connection: AsyncConnection, job_id: str, slip: SealedSlip) -> None:
    """Keep a slip until it is fetched."""
    values = {"position": slip.position, "sealed": slip.sealed, "user_id": slip.user_id, "set_at": slip.set_at}
    await connection.execute(insert(pin_slips).values(job_id=job_id, **values))


async def skip(connection: AsyncConnection, job_id: str, now: float) -> None:
    """Expect one slip less."""
    await connection.execute(
        update(pin_slip_jobs)
        .where(pin_slip_jobs.c.id == job_id)
        .values(total=pin_slip_jobs.c.total - 1, touched_at=now)
    )


async def touch(connection: AsyncConnection, job_id: str, now: float) -> None:
    """Give a sign of life of a job that has to wait."""
    await connection.execute(update(pin_slip_jobs).where(pin_slip_jobs.c.id == job_id).values(touched_at=now))


async def finish(connection: AsyncConnection, job_id: str, now: float) -> None:
    """Let no more slips be added."""
    await connection.execute(
        update(pin_slip_jobs)
        .where(pin_slip_jobs.c.id == job_id, pin_slip_jobs.c.finished_at.is_(None))
        .values(finished_at=now)
    )


async def drop_empty(connection: AsyncConnection, job_id: str) -> None:
    """Delete a job that set no PIN: there is nothing to fetch."""
    await connection.execute(delete(pin_slip_jobs).where(pin_slip_jobs.c.id == job_id, pin_slip_jobs.c.done == 0))


async def sealed_slips(connection: AsyncConnection, job_id: str, limit: int | None = None) -> list[SealedSlip]:
    """Return the slips in order, the first `limit` of them."""
    columns = (pin_slips.c.position, pin_slips.c.sealed, pin_slips.c.user_id, pin_slips.c.set_at)
    statement = select(*columns).where(pin_slips.c.job_id == job_id).order_by(pin_slips.c.position).limit(limit)
    return [
        SealedSlip(position=position, sealed=bytes(sealed), user_id=user_id, set_at=set_at)
        for position, sealed, user_id, set_at in await connection.execute(statement)
    ]


async def hold(connection: AsyncConnection, job_id: str) -> int | None:
    """Make others who want this job wait until the transaction ends; return how many slips it has, None without it."""
    held = select(pin_slip_jobs.c.id).where(pin_slip_jobs.c.id == job_id).with_for_update()
    if await connection.scalar(held) is None:
        return None
    count = select(func.count()).select_from(pin_slips).where(pin_slips.c.job_id == job_id)
    return await connection.scalar(count) or 0


async def drop_slips(connection: AsyncConnection, job_id: str, positions: Collection[int]) -> None:
    """Delete some slips of a job."""
    await connection.execute(delete(pin_slips).where(pin_slips.c.job_id == job_id, pin_slips.c.position.in_(positions)))


async def take(connection: AsyncConnection, job_id: str) -> bool:
    """Delete a job with its slips; of several at once one gets True."""
    return (await connection.execute(delete(pin_slip_jobs).where(pin_slip_jobs.c.id == job_id))).rowcount == 1


async def too_old(connection: AsyncConnection, until: float) -> list[SlipJob]:
    """Return the jobs started at or before `until`."""
    statement = select(*_COLUMNS).where(pin_slip_jobs.c.created_at <= until).order_by(pin_slip_jobs.c.id)
    return [SlipJob(**row._mapping) for row in await connection.execute(statement)]
