"""Where everybody is now: the presence of a company's people, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, or_, select

from storage.stamps import presence
from storage.users import users

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class PresentPerson:
    """One person and their presence as it is stored; see `storage.stamps.PresenceRow`."""

    user_id: str
    full_name: str
    personnel_number: str | None
    state: str
    since: float
    sequence: int
    worked_day: str
    worked_seconds: float
    open_since: float | None
    clock_out_missing: bool


_SELECT: Final = select(
    users.c.id.label("user_id"),
    users.c.full_name,
    users.c.personnel_number,
    presence.c.state,
    presence.c.since,
    presence.c.sequence,
    presence.c.worked_day,
    presence.c.worked_seconds,
    presence.c.open_since,
    presence.c.clock_out_missing,
).join_from(users, presence, presence.c.user_id == users.c.id)


async def list_(
    connection: AsyncConnection,
    company_id: str,
    states: Collection[str],
    after: str | None = None,
    limit: int = 100,
) -> list[PresentPerson]:
    """Return active people in one of `states` by name, at most `limit`, those behind the person with id `after`."""
    statement = (
        _SELECT.where(users.c.company_id == company_id, users.c.active.is_(True), presence.c.state.in_(states))
        .order_by(users.c.full_name, users.c.id)
        .limit(limit)
    )
    if after is not None:
        last = users.alias("last")
        place = select(last.c.full_name).where(last.c.id == after, last.c.company_id == company_id).scalar_subquery()
        statement = statement.where(
            or_(users.c.full_name > place, and_(users.c.full_name == place, users.c.id > after))
        )
    return [PresentPerson(**row._mapping) for row in await connection.execute(statement)]
