"""How a person looks on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from gateway.accounts.roles import Role
from gateway.http.changes import Changes, omitted
from gateway.http.fields import PersonnelNumber, Pin
from gateway.http.models import Answer, Body
from gateway.http.paging import PageQuery
from gateway.people.fields import EMAIL_LIMIT, read_email, read_text

if TYPE_CHECKING:
    from gateway.people.importing import Imported
    from storage.users import User

PersonName = Annotated[str, AfterValidator(read_text), Field(min_length=1)]
PersonEmail = Annotated[
    str, AfterValidator(read_email), Field(max_length=EMAIL_LIMIT, json_schema_extra={"format": "email"})
]
PersonRole = Annotated[Role, Field(strict=False)]


class UserAnswer(Answer):
    """A person, without anything that proves who they are."""

    id: str
    company_id: str
    full_name: str
    role: str
    active: bool
    email: str | None = None
    personnel_number: str | None = None


class UsersQuery(PageQuery):
    """Which people: `q` is a part of the name, the e-mail or the personnel number."""

    q: Annotated[str, Field(max_length=200)] | None = None
    active: bool | None = None


class UsersAnswer(Answer):
    """People by name."""

    items: tuple[UserAnswer, ...]
    next_cursor: str | None = None


class UserBody(Body):
    """A new person. Without an e-mail a personnel number is needed; a role other than employee needs an e-mail."""

    full_name: PersonName
    personnel_number: PersonnelNumber | None = None
    email: PersonEmail | None = None
    role: PersonRole = Role.EMPLOYEE
    active: bool = True


class UserChanges(Changes):
    """What to change about a person. Null takes the number or the e-mail away; what is left out stays."""

    full_name: PersonName = omitted()
    personnel_number: PersonnelNumber | None = omitted()
    email: PersonEmail | None = omitted()
    role: PersonRole = omitted()
    active: bool = omitted()


class SetPinBody(Body):
    """The PIN somebody chose; left out, one is made. For one's own PIN also the password, unless just confirmed."""

    pin: Pin | None = None
    current_password: Annotated[
        str | None, Field(min_length=1, json_schema_extra={"format": "password", "writeOnly": True})
    ] = None


class SetPinAnswer(Answer):
    """The PIN that was made, shown this once; nothing when it was chosen."""

    pin: str | None = None


class ImportQuery(Body):
    """`dry_run`: tell what would be done, and do nothing."""

    dry_run: bool = False


class ImportFault(Answer):
    """What is wrong with one line; the heading is line 1."""

    line: int
    message: str


class ImportAnswer(Answer):
    """How many people were added and changed, or, when nobody was, everything that is wrong with the file."""

    created: int
    updated: int
    errors: tuple[ImportFault, ...]


def import_answer(imported: Imported) -> ImportAnswer:
    """Return the answer model of an import."""
    faults = tuple(ImportFault(line=fault.line, message=fault.message) for fault in imported.errors)
    return ImportAnswer(created=imported.created, updated=imported.updated, errors=faults)


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
