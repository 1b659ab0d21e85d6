"""Somebody signed in with an e-mail login, for tests of what is behind the account gate."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.gateway.terminal import Reply

if TYPE_CHECKING:
    from gateway.accounts.sessions import OpenedSession
    from storage.users import User
    from tests.gateway.house import House

_numbers = itertools.count(1)


@dataclass
class SignedInPerson:
    """A person with an open session, and requests made with its token."""

    house: House
    user: User
    opened: OpenedSession

    @property
    def token(self) -> str:
        return self.opened.token

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        return await call(self.house, method, path, body, token=self.token, **headers)


async def call(
    house: House, method: str, path: str, body: object = None, *, token: str | None = None, **headers: str
) -> Reply:
    """Send a request to the house, with a token or without."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    arguments: dict[str, Any] = {} if body is None else {"json": body}
    async with house.http.request(method, house.url + path, headers=fields, **arguments) as answer:
        text = await answer.text()
        return Reply(answer.status, dict(answer.headers), json.loads(text) if text else None)


async def sign_in_as(
    house: House, role: str, *, email: str | None = None, company_id: str | None = None
) -> SignedInPerson:
    """Add a person with this role and open a session, as a right password just now would have."""
    site = house.gateway.administration
    user = await site.people.add(
        company_id or house.company_id,
        full_name=f"Some {role.title()}",
        email=email or f"{role}{next(_numbers)}@rosenthal.example",
        role=role,
        actor="cli",
    )
    async with site.database.write() as connection:
        opened = await house.gateway.sessions.open(connection, user.id)
    await house.told()
    return SignedInPerson(house, user, opened)
