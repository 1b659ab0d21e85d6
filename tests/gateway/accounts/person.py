"""People with an e-mail login, and what they send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateway.signed_in import call

if TYPE_CHECKING:
    from storage.users import User
    from tests.gateway.house import House
    from tests.gateway.terminal import Reply

EMAIL = "olivia@rosenthal.example"
PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"
OTHER_PASSWORD = "another long password"


async def with_login(house: House, email: str = EMAIL, *, role: str = "owner", password: str = PASSWORD) -> User:
    """Add somebody who can sign in."""
    site = house.gateway.administration
    user = await site.people.add(house.company_id, full_name="Olivia Rosenthal", email=email, role=role, actor="cli")
    await site.accounts.set_password(user.id, password, actor="cli")
    return user


async def login(house: House, email: str = EMAIL, password: str = PASSWORD, **headers: str) -> Reply:
    return await call(house, "POST", "/api/auth/login", {"email": email, "password": password}, **headers)


async def have_failed(house: House, times: int, email: str = EMAIL) -> None:
    """Wrong tries of this moment, as the guard counts them wherever they come from."""
    site = house.gateway.administration
    for _ in range(times):
        attempt = await site.account_guard.reserve(email, None)
        async with site.database.write() as connection:
            await site.account_guard.wrong(connection, attempt)


async def token_of(house: House, email: str = EMAIL, password: str = PASSWORD, **headers: str) -> str:
    reply = await login(house, email, password, **headers)
    assert reply.status == 200, reply
    token: str = reply.body["token"]
    return token


async def register(house: House, **fields: object) -> Reply:
    body = {"email": EMAIL, "password": PASSWORD, "full_name": "Olivia Rosenthal", **fields}
    return await call(house, "POST", "/api/auth/register", body)


async def is_signed_in(house: House, token: str) -> bool:
    reply = await call(house, "GET", "/api/auth/me", token=token)
    assert reply.status in (200, 401), reply
    return reply.status == 200
