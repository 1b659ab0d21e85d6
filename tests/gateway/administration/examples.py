"""One request for every route that needs a permission, as it succeeds: a new route without one fails the tests."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.gateway.administration.estate import Company

_numbers = itertools.count(900_001)

ALL = "owner it hr employee"


@dataclass(frozen=True)
class Example:
    """`roles`: who may, as the design says. `make` gives the ids in the path (a space between) and the body of one
    request."""

    roles: str
    make: Callable[[Company], Awaitable[tuple[str, Any]]]
    status: int = 200
    query: str = ""
    content_type: str = "application/json"


def company(body: object = None) -> Callable[[Company], Awaitable[tuple[str, Any]]]:
    async def make(ours: Company) -> tuple[str, Any]:
        return ours.id, body

    return make


def nothing(body: object = None) -> Callable[[Company], Awaitable[tuple[str, Any]]]:
    async def make(ours: Company) -> tuple[str, Any]:
        return "", body

    return make


async def new_user(ours: Company) -> tuple[str, Any]:
    return "", {"full_name": "Eva Neu", "personnel_number": str(next(_numbers))}


def person(body: object = None) -> Callable[[Company], Awaitable[tuple[str, Any]]]:
    async def make(ours: Company) -> tuple[str, Any]:
        return (await ours.add()).id, body

    return make


def device(state: str, body: object = None) -> Callable[[Company], Awaitable[tuple[str, Any]]]:
    async def make(ours: Company) -> tuple[str, Any]:
        if state == "registered":
            return await ours.add_device(), body
        terminal = await ours.house.pending_terminal()
        if state != "pending":
            await ours.house.approve(terminal)
        if state == "suspended":
            await ours.site.devices.suspend(terminal.device_id, actor="cli")
        if body == "thumbprint":
            return terminal.device_id, {"thumbprint": terminal.key.keyid}
        return terminal.device_id, body

    return make


async def lock(ours: Company) -> tuple[str, Any]:
    return await ours.add_lock(), None


async def correction(ours: Company) -> tuple[str, Any]:
    at = "2026-01-31T08:00:00Z"
    return "", {"user_id": (await ours.add()).id, "action": "clock_in", "at": at, "reason": "forgot"}


async def poster(ours: Company) -> tuple[str, Any]:
    rotated = await ours.site.companies.rotate_link(ours.id, actor="cli")
    return ours.id, {"token": rotated.token, "format": "svg"}


async def invitation(ours: Company) -> tuple[str, Any]:
    return ours.id, {"email": f"{ours.site.new_id()}@rosenthal.example", "role": "hr"}


async def invited(ours: Company) -> tuple[str, Any]:
    address = f"{ours.site.new_id()}@rosenthal.example"
    made = await ours.house.gateway.invitations.invite(ours.id, email=address, role="hr", actor="cli")
    return f"{ours.id} {made.invitation.id}", None


CSV = b"full_name;personnel_number\r\nEva Neu;4711\r\n"

EXAMPLES: dict[str, Example] = {
    "GET /api/companies/{id}": Example("owner", company()),
    "PATCH /api/companies/{id}": Example("owner", company({"name": "Rosenthal AG"})),
    "POST /api/companies/{id}/invitations": Example("owner", invitation, 201),
    "GET /api/companies/{id}/invitations": Example("owner", company()),
    "DELETE /api/companies/{id}/invitations/{invitation_id}": Example("owner", invited, 204),
    "GET /api/companies/{id}/public-stamp": Example("owner it hr", company()),
    "POST /api/companies/{id}/public-stamp/rotate": Example("owner it", company(), 201),
    "DELETE /api/companies/{id}/public-stamp": Example("owner it", company(), 204),
    "POST /api/companies/{id}/public-stamp/poster": Example("owner it hr", poster),
    "GET /api/users": Example("owner hr", nothing()),
    "POST /api/users": Example("owner hr", new_user, 201),
    "GET /api/users/{id}": Example("owner hr", person()),
    "PATCH /api/users/{id}": Example("owner hr", person({"full_name": "Ada Sommer"})),
    "POST /api/users/import": Example("owner hr", nothing(CSV), content_type="text/csv"),
    "POST /api/users/{id}/kiosk-pin": Example("owner hr", person({})),
    "GET /api/devices": Example("owner it", nothing()),
    "POST /api/devices": Example("owner it", nothing({"label": "Gate"}), 201),
    "GET /api/devices/{id}": Example("owner it", device("registered")),
    "PATCH /api/devices/{id}": Example("owner it", device("registered", {"label": "Gate"})),
    "POST /api/devices/{id}/enrolment-code": Example("owner it", device("registered"), 201),
    "POST /api/devices/{id}/approve": Example("owner it", device("pending", "thumbprint")),
    "POST /api/devices/{id}/deny": Example("owner it", device("pending")),
    "POST /api/devices/{id}/suspend": Example("owner it", device("active", {"reason": "moved"})),
    "POST /api/devices/{id}/resume": Example("owner it", device("suspended", {})),
    "POST /api/devices/{id}/revoke": Example("owner it", device("active", {})),
    "POST /api/devices/{id}/replace": Example("owner it", device("active", {}), 201),
    "GET /api/presence": Example("owner hr", nothing()),
    "GET /api/stamps": Example(ALL, nothing()),
    "POST /api/stamps": Example("owner hr", correction, 201),
    "GET /api/lockouts": Example("owner it hr", nothing()),
    "DELETE /api/lockouts": Example("owner it hr", nothing()),
    "DELETE /api/lockouts/{id}": Example("owner it hr", lock, 204),
    "GET /api/audit": Example("owner it", nothing()),
}
"""By method and path. That of `kiosk-pin` is somebody else's PIN: one's own has tests of its own."""

SENSITIVE = {
    "POST /api/companies/{id}/invitations",
    "POST /api/companies/{id}/public-stamp/rotate",
    "POST /api/users/{id}/kiosk-pin",
    "POST /api/devices/{id}/approve",
}
