"""Invitations to get a login in a company, kept as the SHA-256 of their token; each is good once, for one address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table, delete, insert, select

from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

invitations = Table(
    "invitations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("company_id", Id, ForeignKey("companies.id"), nullable=False),
    Column("email", String(254), nullable=False),
    Column("role", String(16), nullable=False),
    Column("invited_by", Id),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index(None, "company_id", "email"),
    Index(None, "expires_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """One invitation, without its token. `invited_by`: the person who did, None for the command line."""

    id: str
    company_id: str
    email: str
    role: str
    created_at: float
    expires_at: float
    invited_by: str | None = None


_COLUMNS: Final = tuple(column for column in invitations.c if column.name != "token_hash")


async def add(connection: AsyncConnection, invitation: Invitation, token_hash: bytes) -> None:
    """Insert `invitation` under its token's SHA-256; an earlier one of the same address to this company dies."""
    await connection.execute(
        delete(invitations).where(
            invitations.c.company_id == invitation.company_id, invitations.c.email == invitation.email
        )
    )
    values = {column.name: getattr(invitation, column.name) for column in _COLUMNS}
    await connection.execute(insert(invitations).values(token_hash=token_hash, **values))


async def get(connection: AsyncConnection, token_hash: bytes, now: float) -> Invitation | None:
    """Return the invitation of a token, unless it is over."""
    statement = select(*_COLUMNS).where(invitations.c.token_hash == token_hash, invitations.c.expires_at > now)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Invitation(**row._mapping)


async def list_(connection: AsyncConnection, company_id: str, now: float) -> list[Invitation]:
    """Return the invitations to a company that are not over, newest first."""
    statement = (
        select(*_COLUMNS)
        .where(invitations.c.company_id == company_id, invitations.c.expires_at > now)
        .order_by(invitations.c.created_at.desc(), invitations.c.id.desc())
    )
    return [Invitation(**row._mapping) for row in await connection.execute(statement)]


async def take(connection: AsyncConnection, invitation_id: str) -> bool:
    """Use an invitation up; of several at once one gets True."""
    return (await connection.execute(delete(invitations).where(invitations.c.id == invitation_id))).rowcount == 1


async def withdraw(connection: AsyncConnection, company_id: str, invitation_id: str, now: float) -> bool:
    """Delete an open invitation to a company; of several at once one gets True, False when there is none."""
    statement = delete(invitations).where(
        invitations.c.id == invitation_id, invitations.c.company_id == company_id, invitations.c.expires_at > now
    )
    return (await connection.execute(statement)).rowcount == 1


async def purge(connection: AsyncConnection, now: float) -> int:
    """Delete the invitations that are over and return how many."""
    return (await connection.execute(delete(invitations).where(invitations.c.expires_at <= now))).rowcount
