"""Audit events: written in the transaction of what they report, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Index, String, Table, func, insert, select

from storage.schema import Id, Instant, Json, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Id, primary_key=True),
    # No references: an event outlives what it tells of
    Column("company_id", Id),
    Column("at", Instant, nullable=False),
    Column("name", String(64), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("subject", String(64)),
    Column("detail", Json, nullable=False),
    Column("request_id", Id),
    Index(None, "company_id", "id"),
    Index(None, "company_id", "at"),
    Index(None, "company_id", "subject", "id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event. `actor` and `subject` read `user:<id>`, `device:<id>`, `cli` or `gateway`; `at` is Unix seconds.

    The id is a UUIDv7, so ids order events by time.
    """

    id: str
    at: float
    name: str
    actor: str
    company_id: str | None = None
    subject: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


_COLUMNS: Final = tuple(audit_events.c)
_APPEND: Final = insert(audit_events)


async def append(connection: AsyncConnection, *events: AuditEvent) -> None:
    """Write `events`."""
    if events:
        names = [column.name for column in _COLUMNS]
        rows = [{name: getattr(event, name) for name in names} for event in events]
        await connection.execute(_APPEND, [{**row, "detail": dict(row["detail"])} for row in rows])


async def count_unowned(connection: AsyncConnection, names: Collection[str], since: float) -> int:
    """Count the events of these kinds since `since` (Unix seconds) that belong to no company."""
    statement = (
        select(func.count())
        .select_from(audit_events)
        .where(audit_events.c.company_id.is_(None), audit_events.c.at >= since, audit_events.c.name.in_(names))
    )
    return await connection.scalar(statement) or 0


async def get(connection: AsyncConnection, event_id: str) -> AuditEvent | None:
    """Return one event."""
    row = (await connection.execute(select(*_COLUMNS).where(audit_events.c.id == event_id))).one_or_none()
    return None if row is None else AuditEvent(**row._mapping)


async def list_(
    connection: AsyncConnection,
    company_id: str | None,
    name: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
    *,
    subject: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> list[AuditEvent]:
    """Return events, newest first, at most `limit`, those older than the event with id `cursor`.

    `company_id` `None` means all companies and what belongs to none; `name` selects one kind, `subject` what they are
    about, `since` (included) and `until` (not) when they happened, in Unix seconds.
    """
    statement = select(*_COLUMNS).order_by(audit_events.c.id.desc()).limit(limit)
    if company_id is not None:
        statement = statement.where(audit_events.c.company_id == company_id)
    if name is not None:
        statement = statement.where(audit_events.c.name == name)
    if subject is not None:
        statement = statement.where(audit_events.c.subject == subject)
    if since is not None:
        statement = statement.where(audit_events.c.at >= since)
    if until is not None:
        statement = statement.where(audit_events.c.at < until)
    if cursor is not None:
        statement = statement.where(audit_events.c.id < cursor)
    return [AuditEvent(**row._mapping) for row in await connection.execute(statement)]
