"""Many people at once: what importing a whole company reads and writes, in few statements whatever its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, select, update

from storage import stamps
from storage.users import users

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.users import User

CHANGEABLE: Final = ("full_name", "personnel_number", "email")
"""What an import may change about a person: never the role, the PIN or whether the person is active."""

_PARAMETERS_AT_ONCE: Final = 500
"""Values of one `IN`: every SQLite allows at least 999 parameters."""

_ADD: Final = insert(users)
_CHANGE: Final = (
    update(users).where(users.c.id == bindparam("user")).values({name: bindparam(f"new_{name}") for name in CHANGEABLE})
)


async def add_many(connection: AsyncConnection, people: Sequence[User]) -> None:
    """Insert people without a PIN, and their presence. Raises `Conflict` as `users.add` does."""
    if not people:
        return
    await connection.execute(
        _ADD,
        [
            {
                "id": user.id,
                "company_id": user.company_id,
                "full_name": user.full_name,
                "personnel_number": user.personnel_number,
                "email": user.email,
                "role": user.role,
                "active": user.active,
                "created_at": user.created_at,
            }
            for user in people
        ],
    )
    await stamps.add_presences(connection, [(user.id, user.company_id, user.created_at) for user in people])


async def update_many(connection: AsyncConnection, people: Sequence[User]) -> None:
    """Write the columns of `CHANGEABLE` as they are in `people`, which are there already."""
    if people:
        await connection.execute(
            _CHANGE,
            [{"user": user.id, **{f"new_{name}": getattr(user, name) for name in CHANGEABLE}} for user in people],
        )


async def emails_elsewhere(connection: AsyncConnection, emails: Collection[str], company_id: str) -> frozenset[str]:
    """Which of `emails` people of other companies have: an address signs in to one company only."""
    found: set[str] = set()
    wanted = sorted(emails)
    for start in range(0, len(wanted), _PARAMETERS_AT_ONCE):
        some = wanted[start : start + _PARAMETERS_AT_ONCE]
        statement = select(users.c.email).where(users.c.email.in_(some), users.c.company_id != company_id)
        found.update((await connection.execute(statement)).scalars())
    return frozenset(found)
