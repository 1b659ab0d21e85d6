"""How a person looks on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.bodies import Answer

if TYPE_CHECKING:
    from storage.users import User


class UserAnswer(Answer):
    """A person, without anything that proves who they are."""

    id: str
    company_id: str
    full_name: str
    role: str
    active: bool
    email: str | None = None
    personnel_number: str | None = None


def user_answer(user: User) -> UserAnswer:
    """Return a person as the interface shows them."""
    return UserAnswer(
        id=user.id,
        company_id=user.company_id,
        full_name=user.full_name,
        role=user.role,
        active=user.active,
        email=user.email,
        personnel_number=user.personnel_number,
    )
