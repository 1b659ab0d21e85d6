"""People see their own sessions and end them; a new password ends the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crypto.passwords import Argon2Cost, PasswordHasher
from gateway.accounts.clients import client_label
from gateway.clock import new_id
from gateway.housekeeping import Housekeeping
from storage import account_sessions, accounts
from tests.gateway.accounts.person import (
    EMAIL,
    OTHER_PASSWORD,
    PASSWORD,
    WRONG,
    is_signed_in,
    login,
    token_of,
    with_login,
)
from tests.gateway.signed_in import call, sign_in_as

if TYPE_CHECKING:
    from tests.gateway.house import House

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def test_sessions_are_listed_newest_first_with_what_one_knows_them_by(house: House) -> None:
    await with_login(house)
    first = await token_of(house, User_Agent=FIREFOX)
    house.clock.move(60)
    second = await token_of(house, User_Agent="curl/8.5.0")
    reply = await call(house, "GET", "/api/auth/sessions", token=second)
    assert reply.status == 200
    newest, oldest = reply.body["items"]
    assert (newest["client"], newest["current"]) == ("curl", True)
    assert (oldest["client"], oldest["current"]) == ("Firefox on Windows", False)
    assert newest["created_at"] > oldest["created_at"]
    assert set(newest) == {"id", "created_at", "last_seen_at", "expires_at", "current", "client"}
    assert first not in str(reply.body)
    async with house.gateway.administration.database.read() as connection:
        rows = list(await connection.execute(account_sessions.account_sessions.select()))
    assert "Gecko" not in str(rows)


async def test_one_session_is_ended_and_the_others_stay(house: House) -> None:
    await with_login(house)
    lost, kept = await token_of(house), await token_of(house)
    sessions = (await call(house, "GET", "/api/auth/sessions", token=kept)).body["items"]
    (lost_id,) = [session["id"] for session in sessions if not session["current"]]
    assert (await call(house, "DELETE", f"/api/auth/sessions/{lost_id}", token=kept)).status == 204
    assert not await is_signed_in(house, lost)
    assert await is_signed_in(house, kept)
    assert (await call(house, "DELETE", f"/api/auth/sessions/{lost_id}", token=kept)).problem == "not-found"


async def test_all_other_sessions_are_ended_at_once(house: House) -> None:
    await with_login(house)
    others = [await token_of(house) for _ in range(3)]
    kept = await token_of(house)
    assert (await call(house, "DELETE", "/api/auth/sessions", token=kept)).status == 204
    assert [await is_signed_in(house, token) for token in (*others, kept)] == [False, False, False, True]


async def test_nobody_ends_the_session_of_somebody_else(house: House) -> None:
    owner, victim = await sign_in_as(house, "owner"), await sign_in_as(house, "employee")
    for session_id in (victim.opened.session.id, new_id(), "x", "0" * 36):
        reply = await owner.call("DELETE", f"/api/auth/sessions/{session_id}")
        assert (reply.status, reply.problem) == (404, "not-found")
    assert (await owner.call("DELETE", "/api/auth/sessions")).status == 204
    assert (await victim.call("GET", "/api/auth/me")).status == 200


async def test_a_changed_password_ends_every_other_session(house: House) -> None:
    await with_login(house)
    other, own = await token_of(house), await token_of(house)
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert (await call(house, "POST", "/api/auth/change-password", body, token=own)).status == 204
    assert not await is_signed_in(house, other)
    assert await is_signed_in(house, own)
    assert (await login(house)).status == 401
    assert (await login(house, password=OTHER_PASSWORD)).status == 200
    assert "account.password_changed" in await house.audit_names()


async def test_a_weak_new_password_is_refused(house: House) -> None:
    await with_login(house)
    token = await token_of(house)
    for new_password, said in (("short", "at least 10"), ("password12", "tried first"), (EMAIL, "e-mail")):
        body = {"current_password": PASSWORD, "new_password": new_password}
        reply = await call(house, "POST", "/api/auth/change-password", body, token=token)
        assert reply.problem == "bad-request", new_password
        assert reply.body["errors"][0]["field"] == "new_password"
        assert said in reply.body["errors"][0]["message"]
    assert (await login(house)).status == 200


async def test_entering_the_password_again_vouches_for_ten_more_minutes(house: House) -> None:
    gate = house.gateway.account_gate
    await with_login(house)
    token = await token_of(house)
    house.clock.move(3600)
    stale = await gate.identify(token)
    assert house.clock() - stale.confirmed_at > 600
    refused = await call(house, "POST", "/api/auth/confirm", {"password": WRONG}, token=token)
    assert refused.problem == "login-failed"
    assert await gate.identify(token) == stale
    assert (await call(house, "POST", "/api/auth/confirm", {"password": PASSWORD}, token=token)).status == 204
    gate.require(await gate.identify(token), "role.change")


async def test_a_password_set_on_the_command_line_ends_every_session(house: House) -> None:
    user = await with_login(house)
    token = await token_of(house)
    await house.gateway.administration.accounts.set_password(user.id, OTHER_PASSWORD, actor="cli")
    assert not await is_signed_in(house, token)


@pytest.mark.parametrize("how", ["set", "changed", "deactivated"])
async def test_a_password_changed_while_somebody_signs_in_with_the_old_one_wins(
    both: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    house, site = both, both.gateway.administration
    user = await with_login(house)
    own = await house.gateway.account_gate.identify(await token_of(house))
    verify, overtaking = site.passwords.verify, True

    async def overtaken(stored: str | None, password: str) -> bool:
        nonlocal overtaking
        is_right = await verify(stored, password)
        if overtaking:
            overtaking = False
            if how == "set":
                await site.accounts.set_password(user.id, OTHER_PASSWORD, actor="cli")
            elif how == "changed":
                await house.gateway.own_account.change_password(own, PASSWORD, OTHER_PASSWORD)
            else:
                await site.people.add(house.company_id, full_name="B", email="b@x.example", role="owner", actor="cli")
                await site.people.set_active(user.id, False, actor="cli")
        return is_right

    with monkeypatch.context() as patched:
        patched.setattr(site.passwords, "verify", overtaken)
        assert (await login(house)).problem == "login-failed"
    assert len(await house.gateway.sessions.list_(user.id)) == (1 if how == "changed" else 0)


async def test_a_hash_of_an_older_cost_is_renewed_at_the_next_sign_in(house: House) -> None:
    user = await with_login(house)
    database = house.gateway.administration.database
    old = PasswordHasher(Argon2Cost(128, 1, 1)).hash(PASSWORD)
    async with database.write() as connection:
        await accounts.set_password(connection, user.id, old, house.clock())
    assert (await login(house)).status == 200
    async with database.read() as connection:
        renewed = await accounts.password_hash(connection, EMAIL)
    assert renewed is not None
    assert "m=64," in renewed
    assert (await login(house)).status == 200


async def test_housekeeping_forgets_sessions_that_are_over(house: House) -> None:
    await with_login(house)
    await token_of(house)
    house.clock.move(86401)
    await Housekeeping(house.gateway.administration.database, house.clock).sweep()
    async with house.gateway.administration.database.read() as connection:
        assert list(await connection.execute(account_sessions.account_sessions.select())) == []


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.4 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/126.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
            "Edge on Windows",
        ),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>", None),
        ("", None),
    ],
)
def test_a_label_is_made_of_known_words_only(user_agent: str, label: str | None) -> None:
    assert client_label(user_agent) == label
