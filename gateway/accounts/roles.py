"""Who may do what: one table of named permissions, one per kind of act of the interface (api.md, "Administration").

The owner may do everything that IT and HR may; an employee may do what concerns only the employee. Routes and pages
name a permission and never a role, so this table is the whole answer to "who may?".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    """What somebody is in the company."""

    OWNER = "owner"
    IT = "it"
    HR = "hr"
    EMPLOYEE = "employee"


CONFIRMED_FOR_SECONDS: Final = 600.0
"""How long an entered password vouches for sensitive acts: an unattended desk is not enough for those."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Which roles may do something. `is_sensitive`: only with a password entry of the last ten minutes."""

    roles: frozenset[Role]
    is_sensitive: bool = False


def _for(*roles: Role, sensitive: bool = False) -> Permission:
    """The owner may whatever somebody may."""
    return Permission(frozenset({Role.OWNER, *roles}), sensitive)


_OWNER: Final = ()
_IT: Final = (Role.IT,)
_HR: Final = (Role.HR,)
_BOTH: Final = (Role.IT, Role.HR)

PERMISSIONS: Final[Mapping[str, Permission]] = MappingProxyType(
    {
        "company.read": _for(*_OWNER),
        "company.change": _for(*_OWNER),
        "invitation.create": _for(*_OWNER, sensitive=True),
        "invitation.withdraw": _for(*_OWNER),
        "link.read": _for(*_BOTH),
        "link.rotate": _for(*_IT, sensitive=True),
        "link.disable": _for(*_IT),
        "poster.make": _for(*_BOTH),
        "people.read": _for(*_HR),
        "people.change": _for(*_HR),
        "people.import": _for(*_HR),
        # The e-mail or the state of anybody who is not an employee: whoever changes the address can take the login.
        "staff.change": _for(*_OWNER, sensitive=True),
        "role.change": _for(*_OWNER, sensitive=True),
        "pin.set": _for(*_HR, sensitive=True),
        # One's own, if not the current password is sent along: the same as knowing the person's PIN.
        "pin.own": _for(*Role, sensitive=True),
        "device.read": _for(*_IT),
        "device.change": _for(*_IT),
        "device.approve": _for(*_IT, sensitive=True),
        "presence.read": _for(*_HR),
        "stamps.read": _for(*_HR),
        "stamps.export": _for(*_HR, sensitive=True),
        "stamps.correct": _for(*_HR),
        "lockouts.read": _for(*_BOTH),
        "lockouts.clear": _for(*_BOTH),
        "audit.read": _for(*_IT),
        "own": _for(*Role),
    }
)
"""Every permission by its name. `own`: what concerns oneself alone."""


def allows(role: Role, permission: str) -> bool:
    """Tell whether a role has a permission. Raises `KeyError` for a name that is not in the table."""
    return role in PERMISSIONS[permission].roles
