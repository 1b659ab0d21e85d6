"""Numbered changes of trust, which every gateway process reads in order.

One counter row is updated in the transaction of each change, so a second change waits until the first is committed or
rolled back: numbers have no gaps and become visible in their order. A sequence of the database promises neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, delete, insert, select, update

from storage.schema import Instant, Json, metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

trust_counter = Table(
    "trust_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

trust_changes = Table(
    "trust_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("detail", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "at"),
)


@dataclass(frozen=True, slots=True)
class TrustChange:
    """One change: its number, what kind of thing changed, its id, and what the followers need to know."""

    seq: int
    kind: str
    subject: str
    detail: Mapping[str, Any]
    at: float


_NEXT: Final = update(trust_counter).values(value=trust_counter.c.value + 1).returning(trust_counter.c.value)
_APPEND: Final = insert(trust_changes)
_SELECT: Final = select(*trust_changes.c).order_by(trust_changes.c.seq)
_LATEST: Final = select(trust_counter.c.value)


async def append(
    connection: AsyncConnection, kind: str, subject: str, detail: Mapping[str, Any] | None, at: float
) -> int:
    """Write a change and return its number. Other changes wait until the transaction ends: do it late, end soon."""
    seq = int((await connection.execute(_NEXT)).scalar_one())
    await connection.execute(
        _APPEND, {"seq": seq, "kind": kind, "subject": subject, "detail": dict(detail or {}), "at": at}
    )
    return seq


async def after(connection: AsyncConnection, seq: int) -> list[TrustChange]:
    """Return the changes with numbers above `seq`, in order."""
    return [TrustChange(*row) for row in await connection.execute(_SELECT.where(trust_changes.c.seq > seq))]


async def latest(connection: AsyncConnection) -> int:
    """Return the highest number given so far, 0 before the first; also when its row was purged."""
    return int((await connection.execute(_LATEST)).scalar_one())


async def since_time(connection: AsyncConnection, at: float) -> list[TrustChange]:
    """Return the changes made at or after `at` (Unix seconds), in order."""
    return [TrustChange(*row) for row in await connection.execute(_SELECT.where(trust_changes.c.at >= at))]


async def purge(connection: AsyncConnection, before: float) -> int:
    """Delete the changes made before `before` (Unix seconds) and return how many."""
    return (await connection.execute(delete(trust_changes).where(trust_changes.c.at < before))).rowcount
