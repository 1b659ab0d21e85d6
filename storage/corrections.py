"""Corrections: rows beside the stamps, which stay as they were. What counts is what no correction replaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, ForeignKey, Index, String, Table, insert, select, update

from storage import stamps
from storage.schema import Id, Instant, metadata
from storage.stamps import PresenceRow, presence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.stamps import Stamp

TIER: Final = "correction"
"""How a correction is told from what somebody stamped."""

corrections = Table(
    "corrections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, nullable=False),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    Column("action", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    # Names a stamp or another correction; each is replaced once, so of two who correct it at once one is refused
    Column("replaces", Id, unique=True),
    Column("reason", String(500), nullable=False),
    Column("made_by", Id, ForeignKey("users.id"), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("request_id", Id),
    Index(None, "company_id", "at"),
    Index(None, "user_id", "at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Somebody was seen to do `action` at `at`, instead of the stamp or correction that it `replaces`, if any.

    `made_by`: the person who says so, at `made_at`. Times are Unix seconds.
    """

    id: str
    company_id: str
    user_id: str
    action: str
    at: float
    reason: str
    made_by: str
    made_at: float
    replaces: str | None = None
    request_id: str | None = None

    @property
    def tier(self) -> str:
        """Always `correction`."""
        return TIER


_COLUMNS: Final = tuple(corrections.c)
_SELECT: Final = select(*_COLUMNS)


async def add(connection: AsyncConnection, correction: Correction) -> None:
    """Insert `correction`.

    Raises (at the end of the transaction's block) `Conflict` on `corrections.replaces` for what is replaced already.
    """
    values: dict[str, Any] = {column.name: getattr(correction, column.name) for column in _COLUMNS}
    await connection.execute(insert(corrections).values(values))


async def is_replaceable(connection: AsyncConnection, user_id: str, replaced_id: str) -> bool:
    """Whether this is a stamp or a correction of that person."""
    for table in (stamps.stamps, corrections):
        found = await connection.scalar(select(table.c.id).where(table.c.id == replaced_id, table.c.user_id == user_id))
        if found is not None:
            return True
    return False


async def is_replaced(connection: AsyncConnection, replaced_id: str) -> bool:
    """Whether a correction stands in the place of this stamp or correction."""
    found = await connection.scalar(select(corrections.c.id).where(corrections.c.replaces == replaced_id))
    return found is not None


async def is_said(connection: AsyncConnection, user_id: str, action: str, at: float) -> bool:
    """Whether a correction that counts says exactly this already: a form sent twice."""
    later = corrections.alias("later")
    statement = (
        select(corrections.c.id)
        .outerjoin_from(corrections, later, later.c.replaces == corrections.c.id)
        .where(
            corrections.c.user_id == user_id,
            corrections.c.action == action,
            corrections.c.at == at,
            later.c.id.is_(None),
        )
    )
    return await connection.scalar(statement.limit(1)) is not None


async def lock_presence(connection: AsyncConnection, user_id: str) -> PresenceRow | None:
    """Return one person's presence; nobody stamps for them until the transaction ends.

    A stamp takes the same row lock. SQLite writers have the whole file.
    """
    await connection.execute(select(presence.c.user_id).where(presence.c.user_id == user_id).with_for_update())
    return await stamps.read_presence(connection, user_id)


async def save_presence(
    connection: AsyncConnection,
    user_id: str,
    *,
    state: str,
    since: float,
    worked_day: str,
    worked_seconds: float,
    open_since: float | None,
    clock_out_missing: bool,
) -> None:
    """Write what is true of a person after a correction. `sequence` stays: it counts what was stamped."""
    await connection.execute(
        update(presence)
        .where(presence.c.user_id == user_id)
        .values(
            state=state,
            since=since,
            worked_day=worked_day,
            worked_seconds=worked_seconds,
            open_since=open_since,
            clock_out_missing=clock_out_missing,
            version=presence.c.version + 1,
        )
    )


async def in_effect_since(
    connection: AsyncConnection, user_id: str, start: float, first: str
) -> Sequence[Stamp | Correction]:
    """Return what counts of a person from the latest `first` before `start` (Unix seconds) on, oldest first.

    Without corrections these are the stamps in the order in which they were made, as `stamps.stamps_since` gives them.
    """
    statement = _SELECT.where(corrections.c.user_id == user_id).order_by(corrections.c.at, corrections.c.id)
    made = [Correction(**row._mapping) for row in await connection.execute(statement)]
    replaced = {correction.replaces for correction in made}
    bound = start
    while True:
        recorded = await stamps.stamps_since(connection, user_id, bound, first)
        if not made:
            return recorded
        reaches_back = not recorded or recorded[0].at >= bound or recorded[0].action != first
        earliest = float("-inf") if reaches_back else recorded[0].at
        kept: list[Stamp | Correction] = [stamp for stamp in recorded if stamp.id not in replaced]
        kept += [one for one in made if one.id not in replaced and one.at >= earliest]
        kept.sort(key=lambda one: one.at)
        begins = [index for index, one in enumerate(kept) if one.at < start and one.action == first]
        if begins:
            return kept[begins[-1] :]
        if reaches_back:
            return kept
        # The stamp with which the stretch seemed to begin is replaced: look for the one before it.
        bound = earliest
