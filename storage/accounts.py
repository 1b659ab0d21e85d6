"""E-mail logins: the password hash of those people who have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, String, Table, insert, select, update

from storage import users
from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("password_hash", String(255), nullable=False),
    Column("changed_at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A login: whose, and since when its password is this one. The hash stays in `password_hash`."""

    user_id: str
    changed_at: float


async def set_password(connection: AsyncConnection, user_id: str, password_hash: str, at: float) -> None:
    """Give a person this password, whether there was one or not."""
    changed = await connection.execute(
        update(accounts).where(accounts.c.user_id == user_id).values(password_hash=password_hash, changed_at=at)
    )
    if changed.rowcount == 0:
        await connection.execute(insert(accounts).values(user_id=user_id, password_hash=password_hash, changed_at=at))


async def password_hash(connection: AsyncConnection, email: str) -> str | None:
    """Return the password hash of the login with this address, which callers keep in lower case."""
    return await connection.scalar(
        select(accounts.c.password_hash).join_from(accounts, users.users).where(users.users.c.email == email)
    )


async def hold(connection: AsyncConnection, user_id: str, password_hash: str) -> bool:
    """Tell whether this is still the password of somebody active; until the transaction ends nobody can change it."""
    statement = (
        select(accounts.c.password_hash)
        .join_from(accounts, users.users)
        .where(accounts.c.user_id == user_id, users.users.c.active.is_(True))
        .with_for_update()
    )
    return await connection.scalar(statement) == password_hash


async def rehash(connection: AsyncConnection, user_id: str, old: str, new: str) -> None:
    """Replace exactly the hash `old`: the password stays, its cost changes. One set meanwhile is left alone."""
    await connection.execute(
        update(accounts).where(accounts.c.user_id == user_id, accounts.c.password_hash == old).values(password_hash=new)
    )


async def get(connection: AsyncConnection, user_id: str) -> Account | None:
    """Return a person's login, `None` without one."""
    row = (
        await connection.execute(select(accounts.c.user_id, accounts.c.changed_at).where(accounts.c.user_id == user_id))
    ).one_or_none()
    return None if row is None else Account(*row)
