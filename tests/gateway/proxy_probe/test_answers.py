"""Probes are for those alone who have the secrets: for everybody else there is nothing of the kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from crypto.secrets_file import Secrets
from gateway.proxy_probe.tokens import ASK, PROBE, PROBE_KEY, SEEN, ProbeTokens
from tests.gateway.raw_http import RawReply, send

if TYPE_CHECKING:
    from tests.gateway.house import House


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def tokens(secrets: Secrets) -> ProbeTokens:
    return ProbeTokens(secrets.purpose_keys(PROBE_KEY), secrets.current_version, os.urandom)


async def ask(house: House, target: str, *lines: str) -> RawReply:
    head = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{house.port}", *lines]
    return await send(house.port, "\r\n".join([*head, "", ""]).encode())


def token(house: House) -> str:
    return tokens(house.gateway.administration.secrets).mint(house.clock())


@pytest.mark.parametrize("target", ["/", "/x", "//a", "/a/../b", "/api/time/%2e%2e/x", "/api/time/kiosk/device", "/a?"])
async def test_a_probe_is_told_what_arrived_whatever_its_target(house: House, target: str) -> None:
    reply = await ask(house, target, f"{PROBE}: {token(house)}")
    assert reply.status == 200
    assert (reply.body["target"], reply.body["method"], reply.body["version"]) == (target, "GET", "1.1")
    assert reply.body["client"] == "127.0.0.1"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("target", ["/", "/nothing-here", "/api/time/kiosk/device", "/api/a/../b"])
async def test_without_a_genuine_token_it_is_a_request_like_any_other(house: House, target: str) -> None:
    strangers = tokens(Secrets.generate(os.urandom)).mint(house.clock())
    old = token(house)
    house.clock.move(181)
    nonce = house.gateway.gate.fresh_nonce("x" * 43)
    plain = await ask(house, target)
    assert plain.status in (302, 303, 400, 401, 404)
    for wrong in (strangers, old, nonce, "", "x", "é"):
        reply = await ask(house, target, f"{PROBE}: {wrong}", f"{ASK}: wait=15")
        assert reply.status == plain.status
        assert reply.headers.keys() == plain.headers.keys()
        assert SEEN.lower() not in reply.headers


async def test_secrets_and_unknown_fields_are_never_repeated(house: House) -> None:
    hidden = ("Authorization: Bearer hidden", "Cookie: a=hidden", "X-Api-Key: hidden", "Proxy-Authorization: hidden")
    reply = await ask(house, "/x?y=1", f"{PROBE}: {token(house)}", *hidden)
    assert "hidden" not in str(reply)
    mine = tokens(house.gateway.administration.secrets)
    assert reply.body["authorization"] == [mine.fingerprint("Bearer hidden")]
    assert tokens(Secrets.generate(os.urandom)).fingerprint("Bearer hidden") not in str(reply)


async def test_a_probe_does_nothing(house: House) -> None:
    before = await house.audit_names()
    for method in ("POST", "DELETE"):
        line = (
            f"{method} /api/time/kiosk/enrolments HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n{PROBE}: {token(house)}"
        )
        reply = await send(house.port, f"{line}\r\n\r\n".encode())
        assert (reply.status, reply.body["method"]) == (200, method)
    assert await house.audit_names() == before


async def test_an_answer_can_be_a_refusal_or_wait_only_so_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in (401, 409, 429, 503):
        reply = await ask(house, "/x", f"{PROBE}: {token(house)}", f"{ASK}: status={status}")
        assert reply.status == status
        assert reply.headers["replay-nonce"] == reply.body["replay_nonce"]
        assert ("retry-after" in reply.headers) == (status in (429, 503))
    for odd in ("status=200000", "status=", "wait=x", "wait=-1", "nothing"):
        assert (await ask(house, "/x", f"{PROBE}: {token(house)}", f"{ASK}: {odd}")).status == 200
    monkeypatch.setattr("gateway.proxy_probe.service.MAX_WAIT_SECONDS", 0.01)
    assert (await ask(house, "/x", f"{PROBE}: {token(house)}", f"{ASK}: wait=99999999")).status == 200


async def test_a_dropped_probe_that_arrives_twice_was_sent_by_somebody_between(house: House) -> None:
    same = token(house)
    with pytest.raises((ConnectionError, EOFError)):
        await ask(house, "/x", f"{PROBE}: {same}", f"{ASK}: drop")
    assert (await ask(house, "/x", f"{PROBE}: {same}", f"{ASK}: drop")).status == 200
