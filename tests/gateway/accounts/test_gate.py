"""Only a token that is ours, with its row, of somebody active, leads in; everything else gets one answer."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from crypto import assertions
from crypto.device_keys import DeviceKey
from crypto.tokens import token_hash
from gateway.accounts.gate import ACCOUNT, TOUCH_SECONDS, SignedIn, bearer_token
from gateway.accounts.roles import Role
from gateway.accounts.sessions import SESSION_SECONDS
from gateway.http.problems import Problem
from storage import account_sessions, users
from tests.gateway.signed_in import SignedInPerson, sign_in_as

if TYPE_CHECKING:
    from tests.gateway.house import House


async def refusal(house: House, token: str) -> Problem:
    with pytest.raises(Problem) as refused:
        await house.gateway.account_gate.identify(token)
    return refused.value


async def test_a_token_with_its_row_tells_who_is_signed_in(house: House) -> None:
    owner = await sign_in_as(house, "owner", email="olivia@rosenthal.example")
    signed_in = await house.gateway.account_gate.identify(owner.token)
    session = owner.opened.session
    assert signed_in._replace(confirmed_at=0.0) == SignedIn(
        user_id=owner.user.id,
        company_id=house.company_id,
        role=Role.OWNER,
        email="olivia@rosenthal.example",
        full_name="Some Owner",
        session_id=session.id,
        confirmed_at=0.0,
        expires_at=session.expires_at,
    )
    assert signed_in.confirmed_at == pytest.approx(session.confirmed_at, abs=0.001)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forgeries(person: SignedInPerson) -> dict[str, str]:
    """Tokens that are not ours, each nearly right."""
    head, payload, signature = person.token.split(".")
    claims = {"sub": person.user.id, "sid": person.opened.session.id}
    now = person.house.clock()
    ours = person.house.gateway.administration.secrets.gateway_key
    foreign = DeviceKey.generate(lambda count: b"\x07" * count)
    changed = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]
    return {
        "tampered payload": f"{head}.{changed}.{signature}",
        "tampered signature": f"{head}.{payload}.{'A' * len(signature)}",
        "alg none": f"{part({'alg': 'none', 'typ': 'stampgate+jwt', 'kid': ours.keyid})}.{payload}.",
        "alg HS256": f"{part({'alg': 'HS256', 'typ': 'stampgate+jwt', 'kid': ours.keyid})}.{payload}.{signature}",
        "foreign key": assertions.issue(claims, foreign, now, SESSION_SECONDS),
        "our key without a row": assertions.issue({**claims, "extra": 1}, ours, now, SESSION_SECONDS),
        "no token at all": "x",
        "empty": "",
        "very long": "a" * 10_000,
    }


async def test_no_forged_token_leads_in(house: House) -> None:
    person = await sign_in_as(house, "owner")
    for name, token in forgeries(person).items():
        assert (await refusal(house, token)).name == "not-signed-in", name
    await house.gateway.account_gate.identify(person.token)


async def test_a_signed_token_is_no_use_without_its_row(house: House) -> None:
    person = await sign_in_as(house, "owner")
    await house.gateway.sessions.end(person.user.id, person.opened.session.id)
    assert (await refusal(house, person.token)).name == "not-signed-in"


async def test_a_row_is_no_use_without_a_signed_token(house: House) -> None:
    person = await sign_in_as(house, "owner")
    unsigned = "a-token-that-somebody-wrote-into-the-database"
    async with house.gateway.administration.database.write() as connection:
        await connection.execute(
            account_sessions.account_sessions.update()
            .where(account_sessions.account_sessions.c.id == person.opened.session.id)
            .values(token_hash=token_hash(unsigned))
        )
    assert (await refusal(house, unsigned)).name == "not-signed-in"
    assert (await refusal(house, person.token)).name == "not-signed-in"


async def test_a_token_does_not_lead_into_the_session_of_another(house: House) -> None:
    one, other = await sign_in_as(house, "employee"), await sign_in_as(house, "owner")
    await house.gateway.sessions.end(other.user.id, other.opened.session.id)
    async with house.gateway.administration.database.write() as connection:
        await connection.execute(
            account_sessions.account_sessions.update()
            .where(account_sessions.account_sessions.c.id == one.opened.session.id)
            .values(user_id=other.user.id)
        )
    assert (await refusal(house, one.token)).name == "not-signed-in"


async def test_a_session_ends_after_24_hours(house: House) -> None:
    person = await sign_in_as(house, "owner")
    house.clock.move(SESSION_SECONDS - 60)
    await house.gateway.account_gate.identify(person.token)
    house.clock.move(60)
    assert (await refusal(house, person.token)).name == "not-signed-in"


async def test_somebody_deactivated_is_out_at_once(house: House) -> None:
    person = await sign_in_as(house, "hr")
    await house.gateway.administration.people.set_active(person.user.id, False, actor="cli")
    assert (await refusal(house, person.token)).name == "not-signed-in"


async def test_a_role_taken_away_is_gone_with_the_next_request(house: House) -> None:
    person, gate = await sign_in_as(house, "hr"), house.gateway.account_gate
    gate.require(await gate.identify(person.token), "people.read")
    async with house.gateway.administration.database.write() as connection:
        await users.update(connection, person.user.id, role="employee")
    signed_in = await gate.identify(person.token)
    with pytest.raises(Problem) as refused:
        gate.require(signed_in, "people.read")
    assert refused.value.name == "not-allowed"


async def test_a_sensitive_act_needs_a_password_of_the_last_ten_minutes(house: House) -> None:
    person, gate = await sign_in_as(house, "it"), house.gateway.account_gate
    signed_in = await gate.identify(person.token)
    house.clock.move(595)
    gate.require(signed_in, "link.rotate")
    house.clock.move(10)
    gate.require(signed_in, "link.disable")
    with pytest.raises(Problem) as refused:
        gate.require(signed_in, "link.rotate")
    assert refused.value.name == "confirmation-required"


async def test_the_last_use_is_known_to_the_minute(house: House) -> None:
    person = await sign_in_as(house, "owner")
    house.clock.move(TOUCH_SECONDS / 2)
    await house.gateway.account_gate.identify(person.token)
    (untouched,) = await house.gateway.sessions.list_(person.user.id)
    house.clock.move(TOUCH_SECONDS)
    await house.gateway.account_gate.identify(person.token)
    (touched,) = await house.gateway.sessions.list_(person.user.id)
    assert untouched.last_seen_at == pytest.approx(person.opened.session.last_seen_at, abs=0.001)
    assert touched.last_seen_at == pytest.approx(house.clock(), abs=5)


async def show(request: web.Request, signed_in: SignedIn) -> web.StreamResponse:
    assert request[ACCOUNT] is signed_in
    return web.Response(text=signed_in.full_name)


async def test_the_handler_is_reached_only_through_the_gate(house: House) -> None:
    person, gate = await sign_in_as(house, "employee"), house.gateway.account_gate
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {person.token}"})
    answer: Any = await gate.protect(show, None)(request)
    assert answer.text == "Some Employee"
    answer = await gate.protect(show, "own")(request)
    assert answer.status == 200
    with pytest.raises(Problem) as refused:
        await gate.protect(show, "people.read")(request)
    assert refused.value.name == "not-allowed"
    with pytest.raises(Problem) as refused:
        await gate.protect(show, None)(make_mocked_request("GET", "/"))
    assert refused.value.name == "not-signed-in"


def test_a_permission_that_does_not_exist_is_found_at_start(house: House) -> None:
    with pytest.raises(KeyError):
        house.gateway.account_gate.protect(show, "people.reed")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc"])
def test_only_a_bearer_token_is_one(value: str) -> None:
    with pytest.raises(Problem):
        bearer_token(make_mocked_request("GET", "/", headers={"Authorization": value}))


def test_the_scheme_is_read_in_any_case() -> None:
    assert bearer_token(make_mocked_request("GET", "/", headers={"Authorization": "bearer abc"})) == "abc"
