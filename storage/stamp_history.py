"""Stamps and corrections in one list, page by page, each with the names that a reader needs."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, literal, null, or_, select

from storage.corrections import TIER, corrections
from storage.devices import devices
from storage.schema import Id, Instant
from storage.stamps import stamps
from storage.users import users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStamp:
    """A stamp or a correction. Times are Unix seconds.

    `link_version`: the number of the poster that a phone's stamp was made by. `replaced_by`: the correction that stands
    in its place. Of a correction: what it `replaces`, and what that was.
    """

    id: str
    company_id: str
    user_id: str
    full_name: str
    personnel_number: str | None
    action: str
    at: float
    tier: str
    device_id: str | None = None
    device_label: str | None = None
    link_version: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    original_action: str | None = None
    original_at: float | None = None
    original_tier: str | None = None
    reason: str | None = None
    made_by: str | None = None
    made_by_name: str | None = None
    made_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which stamps: of a company, of one person of it, with `start <= at < end` (Unix seconds)."""

    company_id: str
    user_id: str | None = None
    start: float | None = None
    end: float | None = None


_later = corrections.alias("later")
_author = users.alias("author")
_first = stamps.alias("first")
_earlier = corrections.alias("earlier")

_STAMPS: Final = (
    select(
        stamps.c.id,
        stamps.c.company_id,
        stamps.c.user_id,
        users.c.full_name,
        users.c.personnel_number,
        stamps.c.action,
        stamps.c.at,
        stamps.c.tier,
        stamps.c.device_id,
        devices.c.label.label("device_label"),
        stamps.c.link_version,
        _later.c.id.label("replaced_by"),
    )
    .join_from(stamps, users, users.c.id == stamps.c.user_id)
    .outerjoin(devices, devices.c.id == stamps.c.device_id)
    .outerjoin(_later, _later.c.replaces == stamps.c.id)
)
_CORRECTIONS: Final = (
    select(
        corrections.c.id,
        corrections.c.company_id,
        corrections.c.user_id,
        users.c.full_name,
        users.c.personnel_number,
        corrections.c.action,
        corrections.c.at,
        literal(TIER).label("tier"),
        null().cast(Id).label("device_id"),
        _later.c.id.label("replaced_by"),
        corrections.c.replaces,
        func.coalesce(_first.c.action, _earlier.c.action).label("original_action"),
        func.coalesce(_first.c.at, _earlier.c.at, type_=Instant).label("original_at"),
        func.coalesce(_first.c.tier, literal(TIER)).label("original_tier"),
        corrections.c.reason,
        corrections.c.made_by,
        _author.c.full_name.label("made_by_name"),
        corrections.c.made_at,
    )
    .join_from(corrections, users, users.c.id == corrections.c.user_id)
    .join(_author, _author.c.id == corrections.c.made_by)
    .outerjoin(_first, _first.c.id == corrections.c.replaces)
    .outerjoin(_earlier, _earlier.c.id == corrections.c.replaces)
    .outerjoin(_later, _later.c.replaces == corrections.c.id)
)


async def page(
    connection: AsyncConnection,
    wanted: Wanted,
    *,
    after: tuple[float, str] | None = None,
    limit: int = 100,
    newest_first: bool = True,
) -> list[ListedStamp]:
    """Return at most `limit` of them behind the place `after`, which is a time and an id, in the order of both."""
    found: list[list[ListedStamp]] = []
    for statement, table in ((_STAMPS, stamps), (_CORRECTIONS, corrections)):
        narrowed = _narrow(statement, table.c, wanted, after, newest_first).limit(limit)
        found.append([ListedStamp(**row._mapping) for row in await connection.execute(narrowed)])
    merged: Iterable[ListedStamp] = heapq.merge(*found, key=lambda one: (one.at, one.id), reverse=newest_first)
    return [one for one, _ in zip(merged, range(limit), strict=False)]


async def get(connection: AsyncConnection, listed_id: str) -> ListedStamp | None:
    """Return one stamp or correction."""
    for statement, table in ((_STAMPS, stamps), (_CORRECTIONS, corrections)):
        row = (await connection.execute(statement.where(table.c.id == listed_id))).one_or_none()
        if row is not None:
            return ListedStamp(**row._mapping)
    return None


def _narrow(
    statement: Select[Any], columns: Any, wanted: Wanted, after: tuple[float, str] | None, newest_first: bool
) -> Select[Any]:
    at, own_id = columns.at, columns.id
    statement = statement.where(columns.company_id == wanted.company_id)
    if wanted.user_id is not None:
        statement = statement.where(columns.user_id == wanted.user_id)
    if wanted.start is not None:
        statement = statement.where(at >= wanted.start)
    if wanted.end is not None:
        statement = statement.where(at < wanted.end)
    order = (at.desc(), own_id.desc()) if newest_first else (at, own_id)
    statement = statement.order_by(*order)
    if after is not None:
        moment, last = after
        behind = (at < moment, own_id < last) if newest_first else (at > moment, own_id > last)
        statement = statement.where(or_(behind[0], and_(at == moment, behind[1])))
    return statement
