"""One request, one nonce: under concurrency, after a flush of Redis, and at enrolment."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest_asyncio

from crypto import device_keys
from crypto.message_signatures import ENROL_TAG
from tests.gateway.emptied import emptied
from tests.gateway.house import open_house
from tests.gateway.raw_http import on_the_wire, send
from tests.gateway.terminal import CLIENT, KIOSK, Terminal
from tests.protocol.signed_requests import COMPONENTS, Forge

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.gateway.house import House
    from tests.servers.redis import RedisServer

STATUS = f"{KIOSK}/device"


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared_house: House) -> House:
    return await emptied(shared_house)


async def test_of_500_concurrent_uses_of_one_nonce_exactly_one_is_accepted(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = await any_house.terminal()
    # On a slow machine 500 requests take longer than the trust feed may be old, and 503 is not the answer in question.
    now = time.monotonic()
    monkeypatch.setattr(any_house.gateway.feed, "_monotonic", lambda: now)
    fields = terminal.headers("GET", STATUS, nonce=await terminal.nonce())
    replies = await asyncio.gather(*(terminal.send("GET", STATUS, b"", fields) for _ in range(500)))
    assert Counter((reply.status, reply.problem) for reply in replies) == {(200, ""): 1, (401, "nonce-replayed"): 499}
    assert (await any_house.audit_names()).count("nonce.replayed") == 1


async def test_one_nonce_in_many_different_requests_lets_exactly_one_through(house: House) -> None:
    terminal = await house.terminal()
    nonce = await terminal.nonce()
    targets = [f"{STATUS}?n={at}" for at in range(50)]
    replies = await asyncio.gather(*(terminal.signed("GET", target, nonce=nonce) for target in targets))
    assert Counter(reply.status for reply in replies) == {200: 1, 401: 49}


async def test_after_a_flush_of_redis_nothing_captured_is_replayed_and_the_terminal_signs_once_more(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with open_house(tmp_path / "data", redis_url=redis_server.url) as house:
        terminal = await house.terminal()
        used = terminal.headers("GET", STATUS, nonce=await terminal.nonce())
        unused = await terminal.nonce()
        assert (await terminal.send("GET", STATUS, b"", used)).status == 200

        redis_server.flush()
        replayed = await terminal.send("GET", STATUS, b"", used)
        assert (replayed.status, replayed.problem) == (401, "bad-nonce")
        honest = await terminal.signed("GET", STATUS, nonce=unused)
        assert honest.problem == "bad-nonce"
        assert (await terminal.signed("GET", STATUS, nonce=honest.headers["Replay-Nonce"])).status == 200
        assert (await terminal.send("GET", STATUS, b"", used)).problem in ("bad-nonce", "nonce-replayed")


async def test_a_gateway_that_starts_on_a_flushed_redis_lets_no_replay_through_either(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with open_house(tmp_path / "data", redis_url=redis_server.url) as house:
        terminal = await house.terminal()
        captured = terminal.headers("GET", STATUS, nonce=await terminal.nonce())
        assert (await terminal.send("GET", STATUS, b"", captured)).status == 200
    redis_server.flush()
    house.clock.move(1)  # births are told in whole seconds: the new one is later than all that was minted before
    async with open_house(tmp_path / "data", redis_url=redis_server.url, port=house.port, clock=house.clock) as again:
        terminal = Terminal(again.http, again.url, again.clock)
        assert (await terminal.send("GET", STATUS, b"", captured)).problem == "bad-nonce"


async def test_a_session_opened_before_a_flush_is_over_after_it(tmp_path: Path, redis_server: RedisServer) -> None:
    async with open_house(tmp_path / "data", redis_url=redis_server.url) as house:
        person, terminal = await house.person("0101"), await house.terminal()
        await terminal.sign_in("0101", person.pin)
        redis_server.flush()
        first = await terminal.status()
        assert first.problem == "bad-nonce"
        fields = terminal.headers("GET", f"{KIOSK}/status", nonce=first.headers["Replay-Nonce"], token=terminal.token)
        assert (await terminal.send("GET", f"{KIOSK}/status", b"", fields)).problem == "session-expired"
        house.clock.move(3)
        assert (await terminal.sign_in("0101", person.pin)).status == 200


async def test_an_enrolment_is_bound_to_the_key_in_its_body(house: House) -> None:
    terminal, thief = Terminal(house.http, house.url, house.clock), Terminal(house.http, house.url, house.clock)
    code = await house.code()
    replaced = await terminal.enrol(code, jwk=device_keys.to_jwk(thief.key.public_key))
    assert (replaced.status, replaced.problem) == (401, "signature-invalid")
    assert (await terminal.enrol(code)).status == 201


async def test_a_normal_signature_does_not_enrol(house: House) -> None:
    terminal = Terminal(house.http, house.url, house.clock)
    body = {"code": await house.code(), "jwk": device_keys.to_jwk(terminal.key.public_key), "client": CLIENT}
    assert (await terminal.signed("POST", f"{KIOSK}/enrolments", body)).problem == "signature-missing"


async def test_an_enrolment_sent_again_as_it_was_is_a_replay(house: House) -> None:
    terminal = Terminal(house.http, house.url, house.clock)
    body = {"code": await house.code(), "jwk": device_keys.to_jwk(terminal.key.public_key), "client": CLIENT}
    forge = Forge(
        key=terminal.key,
        host=terminal.authority,
        target=f"{KIOSK}/enrolments",
        body=json.dumps(body).encode(),
        authorization=None,
        components=COMPONENTS[:6],
        created=int(house.clock()),
        nonce=await terminal.nonce(),
        tag=ENROL_TAG,
    )
    data = on_the_wire(forge.request())
    assert (await send(house.port, data)).status == 201
    assert (await send(house.port, data)).problem == "nonce-replayed"


async def test_a_key_of_small_order_never_enrols(house: House) -> None:
    terminal = Terminal(house.http, house.url, house.clock)
    weak = {"kty": "OKP", "crv": "Ed25519", "x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    assert (await terminal.enrol(await house.code(), jwk=weak)).problem == "weak-key"


async def test_the_sixth_wrong_enrolment_code_from_one_address_is_refused_unread(house: House) -> None:
    terminal, good = Terminal(house.http, house.url, house.clock), await house.code()
    replies = [await terminal.enrol("BBBBBBBB") for _ in range(6)]
    assert [reply.problem for reply in replies] == ["enrolment-code-invalid"] * 5 + ["too-many-requests"]
    assert (await terminal.enrol(good)).problem == "too-many-requests"
    house.clock.move(15 * 60 + 1)
    assert (await terminal.enrol(good)).status == 201
