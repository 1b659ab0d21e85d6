"""No input gives a 500: every route that takes a body, with bodies from nearly right to absurd."""

from __future__ import annotations

import json
import random
import string
from collections import Counter
from typing import TYPE_CHECKING, Any

from gateway.application import all_routes, interface
from tests.gateway.raw_http import send
from tests.gateway.signed_in import sign_in_as
from tests.gateway.terminal import KIOSK, Reply
from tests.samples import samples

if TYPE_CHECKING:
    from gateway.http.routes import Route
    from tests.gateway.house import House

OBJECTS_PER_ROUTE = samples(6)
NOT_JSON_PER_ROUTE = samples(2)
"""Of those below, drawn anew for each route: one and the same code reads all of them before any route does."""
SEED = 20260301

NEED_MORE = {f"{KIOSK}/device/key", "/api/time/public/logout"}
"""Refused for want of a second signature, or of a phone's session, before a body is read."""

ABSURD: list[Any] = [
    *(None, True, False, 0, -1, 1e308, 2**70, "", " ", "0" * 12, "0" * 13, "a" * 5000, "\x00", "\ud800", "\u202e"),
    *("٣٤٥٦٧٨", "123456", "1" * 43, "../../etc/passwd", "'; DROP TABLE users; --", "clock_in", "null"),
    *([], {}, [[]], {"": ""}, {"a": {"b": {"c": []}}}, ["x"] * 50, {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}),
]
NOT_JSON = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"{}{}",
    b'{"a":1,"a":2}',
    b"NaN",
    b"[" * 5000,
    b'{"a":' * 3000,
    b"1" * 6000,
    b'{"pin":1e999}',
    b"{'pin': 1}",
    b'{"pin":"\\ud800"}',
]


def bodies(route: Route, chance: random.Random, valid: dict[str, Any]) -> list[bytes]:
    """Return bodies of a route: what is no JSON object, then nearly valid ones with faults in random places.

    What a route reads by itself meets everything that is no JSON.
    """
    found = list(NOT_JSON) if route.body is None else chance.sample(NOT_JSON, min(NOT_JSON_PER_ROUTE, len(NOT_JSON)))
    names = list(route.body.model_fields) if route.body is not None else []
    for _ in range(OBJECTS_PER_ROUTE):
        body = {name: valid.get(name, "x") for name in names}
        for _ in range(chance.randint(0, 3)):
            name = chance.choice([*names, "".join(chance.choices(string.printable, k=5))])
            body[name] = chance.choice(ABSURD)
        if body and chance.random() < 0.2:
            del body[chance.choice(list(body))]
        found.append(json.dumps(body, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass"))
    return found


def is_an_answer(reply: Reply) -> bool:
    """Whether this is an answer meant for people: a success, or a problem document that says what is wrong."""
    if reply.status < 400:
        return True
    return reply.status not in (500, 502, 504) and reply.problem != "" and bool(reply.body["request_id"])


async def session_token(house: House, user_id: str) -> str:
    async with house.gateway.administration.database.write() as connection:
        return (await house.gateway.sessions.open(connection, user_id)).token


async def test_no_body_gives_a_500_on_any_route(house: House) -> None:
    chance = random.Random(SEED)
    owner = await sign_in_as(house, "owner", email="owner@rosenthal.example")
    person, terminal = await house.person("0101"), await house.terminal()
    await terminal.sign_in("0101", person.pin)
    valid = {
        "token": house.link,
        "personnel_number": "0102",
        "pin": "481516",
        "stamp_id": "0190b0e0-6f5a-7000-8000-000000000000",
        "action": "clock_in",
        "current_pin": person.pin,
        "new_pin": "730291",
        "code": "BCDFGHJK",
        "clock_offset_ms": 0,
        "client": {"name": "x", "version": "1", "platform": "y"},
        "email": "olivia@rosenthal.example",
        "full_name": "Olivia Rosenthal",
        "company_name": "Rosenthal",
        "password": "correct horse battery",
        "current_password": "wrong horse battery",
        "new_password": "another long password",
    }
    routes = [route for route in interface(house.gateway) if route.method in ("POST", "PUT", "PATCH")]
    assert len(routes) >= 9
    seen: Counter[tuple[str, int]] = Counter()
    session, reached = "", set()
    for route in routes:
        for body in bodies(route, chance, valid):
            house.clock.move(20)
            if route.access.startswith("signed") or route.path.startswith(KIOSK):
                tag = "stampgate-enrol" if route.path.endswith("/enrolments") else "stampgate-kiosk"
                reply = await terminal.signed(route.method, route.path, body, tag=tag, token=terminal.token)
                if reply.problem == "session-expired":
                    await terminal.sign_in("0101", person.pin)
            else:
                fields = {"Content-Type": "application/json"}
                if route.access == "account":
                    session = session or await session_token(house, owner.user.id)
                    fields["Authorization"] = f"Bearer {session}"
                reply = await terminal.send(route.method, route.path, body, fields)
                if reply.problem == "not-signed-in" or reply.status < 400:
                    session = ""  # among the routes are those that end one
            assert is_an_answer(reply), (route.path, body[:200], reply)
            seen[route.path, reply.status] += 1
            reached |= {route.path} if reply.status not in (401, 403) else set()
    assert {route.path for route in routes} - reached == NEED_MORE
    assert {status for _, status in seen} >= {400, 401}


async def test_no_query_and_no_path_gives_a_500(house: House) -> None:
    chance = random.Random(SEED)
    paths = [route.path for route in all_routes(house.gateway)]
    for _ in range(samples(60)):
        path = chance.choice([*paths, "/", "/api/", "/problems/" + "x" * 300, "/stamp", "/static/%2e%2e/x"])
        junk = "".join(chance.choices("abc=&%?#/.;+\\~é\x7f{}[]", k=chance.randint(0, 30)))
        method = chance.choice(["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
        target = f"{path}{chance.choice(['', '?', '?keyid='])}{junk}".replace(" ", "")
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nConnection: close\r\n\r\n"
        reply = await send(house.port, head.encode())
        assert reply.status not in (500, 502, 504), (method, target, reply)


async def test_no_bytes_give_a_500(house: House) -> None:
    chance = random.Random(SEED)
    whole = (
        f"POST /api/time/public/auth HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    ).encode()
    for _ in range(samples(60)):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(whole) - 30)] = chance.randrange(256)
        try:
            reply = await send(house.port, bytes(data) + b"\r\n\r\n" * 2)
        except (EOFError, ConnectionError, TimeoutError):
            continue  # cut off without an answer, as one may with bytes that are no request
        assert reply.status not in (500, 502, 504), (bytes(data), reply)
