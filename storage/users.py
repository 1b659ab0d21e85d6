"""The people of a company: employees who stamp with a PIN, and those with an e-mail login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy import update as sql_update

from storage import stamps
from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, ForeignKey("companies.id"), nullable=False),
    Column("full_name", String(200), nullable=False),
    Column("personnel_number", String(12)),
    Column("email", String(254), unique=True),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("pin_record", LargeBinary),
    Column("pin_set_at", Instant),
    Column("last_sign_in_at", Instant),
    Column("failures_told_at", Instant),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("company_id", "personnel_number"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person. The PIN record is never part of it: only `by_number` and `pin_record` hand it out.

    `failures_told_at`: up to when they were told, at a sign-in with the PIN, how many wrong ones there were.
    """

    id: str
    company_id: str
    full_name: str
    role: str
    created_at: float
    personnel_number: str | None = None
    email: str | None = None
    active: bool = True
    has_pin: bool = False
    pin_set_at: float | None = None
    last_sign_in_at: float | None = None
    failures_told_at: float | None = None


_COLUMNS: Final = (
    users.c.id,
    users.c.company_id,
    users.c.full_name,
    users.c.role,
    users.c.created_at,
    users.c.personnel_number,
    users.c.email,
    users.c.active,
    users.c.pin_record.is_not(None).label("has_pin"),
    users.c.pin_set_at,
    users.c.last_sign_in_at,
    users.c.failures_told_at,
)
_SELECT: Final = select(*_COLUMNS)
_NOBODY: Final[dict[str, Any]] = {
    "id": "00000000-0000-0000-0000-000000000000",
    "company_id": "00000000-0000-0000-0000-000000000000",
    "full_name": "Somebody Nobody",
    "role": "employee",
    "created_at": 0.0,
    "personnel_number": "0",
    "active": True,
    "pin_record": bytes(140),
}
"""What stands in the place of a number that nobody has, as long as what people have."""

_SOMEBODY: Final = select(literal(1).label("one")).subquery()
_BY_NUMBER: Final = select(
    *(
        func.coalesce(column, literal(_NOBODY[column.name], column.type)).label(column.name)
        if column.name in _NOBODY
        else column
        for column in (*_COLUMNS, users.c.pin_record)
    )
).select_from(
    _SOMEBODY.outerjoin(
        users, and_(users.c.company_id == bindparam("company_id"), users.c.personnel_number == bindparam("number"))
    )
)
_CHANGEABLE: Final = frozenset({"full_name", "personnel_number", "email", "role"})


def _user(row: Row[Any]) -> User:
    return User(**row._mapping)


async def add(connection: AsyncConnection, user: User, *, pin_record: bytes | None = None) -> None:
    """Insert `user` and the presence row that every person has from the first day.

    Raises (at the end of the transaction's block) `Conflict` on `users.email` or
    `users.company_id,users.personnel_number`.
    """
    await connection.execute(
        insert(users).values(
            id=user.id,
            company_id=user.company_id,
            full_name=user.full_name,
            personnel_number=user.personnel_number,
            email=user.email,
            role=user.role,
            active=user.active,
            pin_record=pin_record,
            pin_set_at=user.pin_set_at,
            last_sign_in_at=user.last_sign_in_at,
            failures_told_at=user.failures_told_at,
            created_at=user.created_at,
        )
    )
    await stamps.add_presence(connection, user.id, user.company_id, user.created_at)


async def get(connection: AsyncConnection, user_id: str, *, lock: bool = False) -> User | None:
    """Return one person; with `lock` nobody else changes them until the transaction ends."""
    statement = _SELECT.where(users.c.id == user_id)
    if lock:  # SQLite writers have the whole file; PostgreSQL lets others refer to the row meanwhile
        statement = statement.with_for_update(key_share=True)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _user(row)


async def by_number(connection: AsyncConnection, company_id: str, number: str) -> tuple[User, bytes | None] | None:
    """Return the person with a personnel number and the PIN record (`None` without a PIN).

    Whether there is one takes the same time: nobody is read as a person too, who is made up by the query.
    """
    row = (await connection.execute(_BY_NUMBER, {"company_id": company_id, "number": number})).one()
    values = dict(row._mapping)
    record = bytes(values.pop("pin_record"))
    user = User(**values)
    if user.id == _NOBODY["id"]:
        return None
    return user, record if user.has_pin else None


async def pin_record(connection: AsyncConnection, user_id: str) -> bytes | None:
    """Return a person's PIN record."""
    record = await connection.scalar(select(users.c.pin_record).where(users.c.id == user_id))
    return None if record is None else bytes(record)


async def by_email(connection: AsyncConnection, email: str) -> User | None:
    """Return the person with an e-mail address, which callers keep in lower case."""
    row = (await connection.execute(_SELECT.where(users.c.email == email))).one_or_none()
    return None if row is None else _user(row)


async def list_(
    connection: AsyncConnection,
    company_id: str | None,
    search: str | None = None,
    after: str | None = None,
    limit: int = 100,
    active: bool | None = None,
) -> list[User]:
    """Return people by name, at most `limit` of them, those behind the person with id `after`.

    `search` is a part of the name, the address or the personnel number, in any case; `company_id` `None` means all.
    Behind somebody who is not of the company there is nobody.
    """
    statement = _SELECT.order_by(users.c.full_name, users.c.id).limit(limit)
    if company_id is not None:
        statement = statement.where(users.c.company_id == company_id)
    if active is not None:
        statement = statement.where(users.c.active.is_(active))
    if search:
        statement = statement.where(
            or_(
                users.c.full_name.icontains(search, autoescape=True),
                users.c.email.icontains(search, autoescape=True),
                users.c.personnel_number.contains(search, autoescape=True),
            )
        )
    if after is not None:
        last = users.alias("last")
        there = last.c.id == after if company_id is None else and_(last.c.id == after, last.c.company_id == company_id)
        place = select(last.c.full_name).where(there).scalar_subquery()
        statement = statement.where(
            or_(users.c.full_name > place, and_(users.c.full_name == place, users.c.id > after))
        )
    return [_user(row) for row in await connection.execute(statement)]


async def active_owners(connection: AsyncConnection, company_id: str) -> list[User]:
    """Return the owners of a company who may sign in."""
    statement = _SELECT.where(users.c.company_id == company_id, users.c.role == "owner", users.c.active.is_(True))
    return [_user(row) for row in await connection.execute(statement)]


async def update(connection: AsyncConnection, user_id: str, **changes: object) -> bool:
    """Change `full_name`, `personnel_number`, `email` or `role`; return whether the person exists.

    Raises `TypeError` for other columns: PIN and `active` have functions of their own.
    """
    if unknown := changes.keys() - _CHANGEABLE:
        raise TypeError(f"not changed this way: {', '.join(sorted(unknown))}")
    if not changes:
        return await get(connection, user_id) is not None
    result = await connection.execute(sql_update(users).where(users.c.id == user_id).values(**changes))
    return result.rowcount == 1


async def set_pin(connection: AsyncConnection, user_id: str, record: bytes | None, at: float | None) -> bool:
    """Store a PIN record, or remove the PIN with `None`. Return whether the person exists."""
    result = await connection.execute(
        sql_update(users)
        .where(users.c.id == user_id)
        .values(pin_record=record, pin_set_at=None if record is None else at)
    )
    return result.rowcount == 1


async def withdraw_pin(connection: AsyncConnection, user_id: str, set_at: float) -> bool:
    """Remove exactly the PIN that was set at `set_at` (Unix seconds); return whether it was still there."""
    result = await connection.execute(
        sql_update(users)
        .where(users.c.id == user_id, users.c.pin_set_at == set_at)
        .values(pin_record=None, pin_set_at=None)
    )
    return result.rowcount == 1


async def rewrap_pin(connection: AsyncConnection, user_id: str, old: bytes, new: bytes) -> bool:
    """Replace exactly the record `old`: the PIN stays, its encryption changes. A PIN set meanwhile is left alone."""
    result = await connection.execute(
        sql_update(users).where(users.c.id == user_id, users.c.pin_record == old).values(pin_record=new)
    )
    return result.rowcount == 1


async def replace_pin(connection: AsyncConnection, user_id: str, old: bytes, new: bytes, at: float) -> bool:
    """Replace exactly the record `old` of somebody active. A PIN reset or a deactivation meanwhile wins."""
    result = await connection.execute(
        sql_update(users)
        .where(users.c.id == user_id, users.c.active.is_(True), users.c.pin_record == old)
        .values(pin_record=new, pin_set_at=at)
    )
    return result.rowcount == 1


async def set_active(connection: AsyncConnection, user_id: str, active: bool) -> bool:
    """Let a person sign in, or no longer. Return whether that changed anything.

    Their presence becomes another version: a stamp that waits for its row on PostgreSQL looks anew at that row alone.
    """
    result = await connection.execute(
        sql_update(users).where(users.c.id == user_id, users.c.active.is_not(active)).values(active=active)
    )
    if result.rowcount != 1:
        return False
    await stamps.count_change(connection, user_id)
    return True


async def mark_sign_in(connection: AsyncConnection, user_id: str, at: float, *, told_at: float | None = None) -> None:
    """Remember the latest successful sign-in, and up to when it told of wrong PINs if it was one with the PIN."""
    values = {"last_sign_in_at": at} if told_at is None else {"last_sign_in_at": at, "failures_told_at": told_at}
    await connection.execute(sql_update(users).where(users.c.id == user_id).values(**values))
