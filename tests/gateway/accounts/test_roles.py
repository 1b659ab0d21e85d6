"""The table of permissions, read as a table."""

from __future__ import annotations

import pytest

from gateway.accounts.roles import PERMISSIONS, Role, allows

EXPECTED = {
    "company.read": "owner",
    "company.change": "owner",
    "invitation.create": "owner",
    "invitation.withdraw": "owner",
    "link.read": "owner it hr",
    "link.rotate": "owner it",
    "link.disable": "owner it",
    "poster.make": "owner it hr",
    "people.read": "owner hr",
    "people.change": "owner hr",
    "people.import": "owner hr",
    "staff.change": "owner",
    "role.change": "owner",
    "pin.set": "owner hr",
    "pin.own": "owner it hr employee",
    "device.read": "owner it",
    "device.change": "owner it",
    "device.approve": "owner it",
    "presence.read": "owner hr",
    "stamps.read": "owner hr",
    "stamps.export": "owner hr",
    "stamps.correct": "owner hr",
    "lockouts.read": "owner it hr",
    "lockouts.clear": "owner it hr",
    "audit.read": "owner it",
    "own": "owner it hr employee",
}
SENSITIVE = {
    "invitation.create",
    "link.rotate",
    "staff.change",
    "role.change",
    "pin.set",
    "pin.own",
    "device.approve",
    "stamps.export",
}


def test_the_table_names_every_permission_and_no_other() -> None:
    assert PERMISSIONS.keys() == EXPECTED.keys()
    assert EXPECTED.keys() >= SENSITIVE


@pytest.mark.parametrize(("permission", "roles"), EXPECTED.items())
def test_exactly_these_roles_have_it(permission: str, roles: str) -> None:
    assert {role for role in Role if allows(role, permission)} == set(roles.split())


def test_the_owner_may_everything_and_an_employee_only_what_is_their_own() -> None:
    assert all(allows(Role.OWNER, permission) for permission in PERMISSIONS)
    assert [permission for permission in PERMISSIONS if allows(Role.EMPLOYEE, permission)] == ["pin.own", "own"]


def test_what_cannot_be_undone_needs_a_fresh_password() -> None:
    assert {name for name, permission in PERMISSIONS.items() if permission.is_sensitive} == SENSITIVE


def test_a_permission_that_is_not_in_the_table_is_an_error_and_no_refusal() -> None:
    with pytest.raises(KeyError):
        allows(Role.OWNER, "everything")
