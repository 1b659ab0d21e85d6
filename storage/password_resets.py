"""Links to set a new password, kept as the SHA-256 of their token; each is good once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table, delete, func, insert, select

from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

password_resets = Table(
    "password_resets",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    Column("email", String(254), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index(None, "user_id"),
    Index(None, "expires_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordReset:
    """One link. `email`: the address it was sent to, which must still be the person's."""

    token_hash: bytes
    user_id: str
    email: str
    created_at: float
    expires_at: float


_COLUMNS: Final = tuple(password_resets.c)


async def add(connection: AsyncConnection, reset: PasswordReset) -> None:
    """Insert `reset`."""
    await connection.execute(
        insert(password_resets).values({column.name: getattr(reset, column.name) for column in _COLUMNS})
    )


async def get(connection: AsyncConnection, token_hash: bytes, now: float) -> PasswordReset | None:
    """Return the reset of a token, unless it is over."""
    statement = select(*_COLUMNS).where(password_resets.c.token_hash == token_hash, password_resets.c.expires_at > now)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else PasswordReset(**row._mapping)


async def count(connection: AsyncConnection, user_id: str, since: float) -> int:
    """Count a person's links made at or after `since`."""
    statement = (
        select(func.count())
        .select_from(password_resets)
        .where(password_resets.c.user_id == user_id, password_resets.c.created_at >= since)
    )
    return int(await connection.scalar(statement) or 0)


async def take(connection: AsyncConnection, token_hash: bytes) -> bool:
    """Use a token up; of several at once one gets True."""
    result = await connection.execute(delete(password_resets).where(password_resets.c.token_hash == token_hash))
    return result.rowcount == 1


async def forget(connection: AsyncConnection, user_id: str) -> None:
    """Delete all links of a person: the password they were asked for has been changed."""
    await connection.execute(delete(password_resets).where(password_resets.c.user_id == user_id))


async def purge(connection: AsyncConnection, now: float) -> int:
    """Delete the links that are over and return how many."""
    return (await connection.execute(delete(password_resets).where(password_resets.c.expires_at <= now))).rowcount
