"""Sessions of e-mail logins: the row that a token must agree with, kept under the token's SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, delete, insert, select, update

from storage import users
from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

account_sessions = Table(
    "account_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("confirmed_at", Instant, nullable=False),
    Column("remember", Boolean, nullable=False),
    Column("client", String(64)),
    Index(None, "user_id"),
    Index(None, "expires_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSession:
    """One session, without its token. `confirmed_at`: when the password was last entered in it.

    `client`: a short label for its owner to recognise it by ("Firefox on Windows"); what a browser says of itself is
    not kept.
    """

    id: str
    user_id: str
    created_at: float
    expires_at: float
    last_seen_at: float
    confirmed_at: float
    remember: bool = False
    client: str | None = None


@dataclass(frozen=True, slots=True)
class SessionHolder:
    """A session and what its person is at this moment."""

    session: AccountSession
    company_id: str
    full_name: str
    email: str | None
    role: str
    active: bool


_SESSION: Final = tuple(column for column in account_sessions.c if column.name != "token_hash")
_HOLDER: Final = (users.users.c.company_id, users.users.c.full_name, users.users.c.email, users.users.c.role)
_FIND: Final = select(*_SESSION, *_HOLDER, users.users.c.active).join_from(account_sessions, users.users)


async def add(connection: AsyncConnection, session: AccountSession, token_hash: bytes) -> None:
    """Insert `session` under its token's SHA-256."""
    values: dict[str, Any] = {column.name: getattr(session, column.name) for column in _SESSION}
    await connection.execute(insert(account_sessions).values(token_hash=token_hash, **values))


async def find(connection: AsyncConnection, token_hash: bytes) -> SessionHolder | None:
    """Return the session of a token and its person, over or not, active or not."""
    row = (await connection.execute(_FIND.where(account_sessions.c.token_hash == token_hash))).one_or_none()
    if row is None:
        return None
    count = len(_SESSION)
    session = AccountSession(**{column.name: value for column, value in zip(_SESSION, row[:count], strict=True)})
    return SessionHolder(session, *row[count:])


async def list_(connection: AsyncConnection, user_id: str, now: float) -> list[AccountSession]:
    """Return a person's sessions that are not over, newest first."""
    statement = (
        select(*_SESSION)
        .where(account_sessions.c.user_id == user_id, account_sessions.c.expires_at > now)
        .order_by(account_sessions.c.created_at.desc(), account_sessions.c.id.desc())
    )
    return [AccountSession(**row._mapping) for row in await connection.execute(statement)]


async def touch(connection: AsyncConnection, session_id: str, at: float) -> None:
    """Remember when a session was last used; never earlier than is known already."""
    await connection.execute(
        update(account_sessions)
        .where(account_sessions.c.id == session_id, account_sessions.c.last_seen_at < at)
        .values(last_seen_at=at)
    )


async def confirm(connection: AsyncConnection, session_id: str, at: float) -> None:
    """Remember that the password was entered in this session."""
    await connection.execute(
        update(account_sessions).where(account_sessions.c.id == session_id).values(confirmed_at=at)
    )


async def end(connection: AsyncConnection, user_id: str, session_id: str) -> bool:
    """End one session of a person; return whether there was one."""
    result = await connection.execute(
        delete(account_sessions).where(account_sessions.c.id == session_id, account_sessions.c.user_id == user_id)
    )
    return result.rowcount == 1


async def end_all(connection: AsyncConnection, user_id: str, but: str | None = None) -> int:
    """End a person's sessions, all or all but one, and return how many."""
    statement = delete(account_sessions).where(account_sessions.c.user_id == user_id)
    if but is not None:
        statement = statement.where(account_sessions.c.id != but)
    return (await connection.execute(statement)).rowcount


async def purge(connection: AsyncConnection, now: float) -> int:
    """Delete the sessions that are over and return how many."""
    return (await connection.execute(delete(account_sessions).where(account_sessions.c.expires_at <= now))).rowcount
