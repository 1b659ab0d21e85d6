"""Registering, signing in, being known, signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts.sessions import SESSION_SECONDS
from storage import account_sessions
from tests.gateway.accounts.person import EMAIL, PASSWORD, login, register, token_of, with_login
from tests.gateway.signed_in import call

if TYPE_CHECKING:
    from tests.gateway.house import House


async def test_the_first_person_registers_signs_in_and_signs_out(both_empty: House) -> None:
    house = both_empty
    registered = await register(house)
    assert registered.status == 201
    user = registered.body["user"]
    assert (user["email"], user["full_name"], user["role"], user["active"]) == (
        EMAIL,
        "Olivia Rosenthal",
        "owner",
        True,
    )

    signed_in = await login(house)
    assert signed_in.status == 200
    assert signed_in.body["user"] == user
    token = signed_in.body["token"]

    me = await call(house, "GET", "/api/auth/me", token=token)
    assert (me.status, me.body) == (200, {"user": user})
    valid = await call(house, "GET", "/api/auth/validate", token=token)
    assert valid.body == {"valid": True, "expires_at": signed_in.body["expires_at"]}

    assert (await call(house, "POST", "/api/auth/logout", token=token)).status == 204
    after = await call(house, "GET", "/api/auth/validate", token=token)
    assert (after.status, after.problem) == (401, "not-signed-in")
    assert after.headers["WWW-Authenticate"].startswith("Bearer")
    assert await house.audit_names() == ["settings.changed", "account.registered", "account.login"]


async def test_a_weak_password_is_refused_in_words_that_help(empty: House) -> None:
    reply = await call(
        empty,
        "POST",
        "/api/auth/register",
        {"email": "test@example.com", "password": "test123", "full_name": "Test User"},
    )
    assert (reply.status, reply.problem) == (400, "bad-request")
    assert reply.body["errors"] == [
        {"field": "password", "message": "A password has at least 10 characters."},
    ]
    assert await empty.gateway.administration.companies.list_() == []


async def test_every_fault_of_a_registration_is_named_at_once(empty: House) -> None:
    reply = await call(
        empty,
        "POST",
        "/api/auth/register",
        {"email": "no address", "password": "password12", "full_name": " ", "company_name": "\u202e", "role": "owner"},
    )
    assert reply.status == 400
    assert {fault["field"] for fault in reply.body["errors"]} == {
        "email",
        "password",
        "full_name",
        "company_name",
        "role",
    }


async def test_a_password_that_is_the_address_is_refused(empty: House) -> None:
    reply = await register(empty, password=EMAIL.upper())
    assert reply.body["errors"] == [
        {"field": "password", "message": "A password must not be the e-mail address or its first part."}
    ]


async def test_people_type_their_address_in_any_case(house: House) -> None:
    await with_login(house)
    assert (await login(house, EMAIL.upper())).status == 200


async def test_neither_password_nor_token_is_stored(house: House) -> None:
    await with_login(house)
    token = await token_of(house)
    async with house.gateway.administration.database.read() as connection:
        (row,) = await connection.execute(account_sessions.account_sessions.select())
        stored = (await connection.exec_driver_sql("SELECT password_hash FROM accounts")).scalar_one()
    assert token not in str(row)
    assert PASSWORD not in stored
    assert stored.startswith("$argon2id$")


async def test_a_session_is_good_for_24_hours(house: House) -> None:
    await with_login(house)
    token = await token_of(house)
    house.clock.move(SESSION_SECONDS - 60)
    assert (await call(house, "GET", "/api/auth/me", token=token)).status == 200
    house.clock.move(60)
    assert (await call(house, "GET", "/api/auth/me", token=token)).problem == "not-signed-in"
