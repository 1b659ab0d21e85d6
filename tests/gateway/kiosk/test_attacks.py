"""Signed requests bent in every way we know of, sent by hand over a socket to a gateway that runs.

Each is refused with its own problem, or with aiohttp's own 400 where the parser refuses it already; no attack records
anything, and none reaches Redis: a nonce is consumed only after the signature was verified.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from crypto.device_keys import DeviceKey
from crypto.message_signatures import ENROL_TAG, REKEY_TAG, IncomingRequest
from crypto.nonces import Nonces
from tests.gateway.house import House, open_house
from tests.gateway.raw_http import RawReply, on_the_wire, send
from tests.protocol.signed_requests import COMPONENTS, Forge, digest_field, field_of, with_field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.terminal import Terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"stamp_id":"0190b0e0-6f5a-7000-8000-000000000000","action":"clock_in"}'
FOREIGN_NONCES = Nonces({1: os.urandom(32)}, 1, os.urandom)
BY_THE_PARSER = ""
"""Refused by aiohttp before any of our code: status 400, not our problem document."""


@dataclass
class Scene:
    """A house with a terminal at which somebody is signed in: all that an honest stamp needs."""

    house: House
    terminal: Terminal
    other: Terminal

    @property
    def authority(self) -> str:
        return self.terminal.authority

    def now(self) -> float:
        return self.house.clock()

    def mint(self, keyid: str | None = None, age: float = 0) -> str:
        nonces = self.house.gateway.gate._nonces
        if age:
            return nonces.mint(keyid or self.terminal.key.keyid, self.now() - age)
        return self.house.gateway.gate.fresh_nonce(keyid or self.terminal.key.keyid)

    def forge(self, **changes: Any) -> Forge:
        """An honest stamp but for `changes`, which are signed too."""
        honest: dict[str, Any] = {
            "key": self.terminal.key,
            "host": self.authority,
            "body": BODY,
            "authorization": f"Bearer {self.terminal.token}",
            "created": int(self.now()),
            "nonce": self.mint(),
        }
        return Forge(**(honest | changes))

    def bare(self, **changes: Any) -> Forge:
        """An honest GET without body and session, but for `changes`."""
        honest = {
            "method": "GET",
            "target": "/api/time/kiosk/device",
            "body": b"",
            "content_type": None,
            "authorization": None,
            "components": COMPONENTS[:5],
        }
        return self.forge(**(honest | changes))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with open_house(tmp_path_factory.mktemp("attacked") / "data") as house:
        person = await house.person("0101")
        terminal, other = await house.terminal(), await house.terminal()
        await terminal.sign_in("0101", person.pin)
        yield Scene(house, terminal, other)


Attack = Callable[[Scene], bytes]


def target(value: str) -> Attack:
    """The terminal's own key signs another spelling of the target, so that only the spelling is at fault."""
    return lambda scene: on_the_wire(scene.forge(target=value).request())


def signed(**changes: Any) -> Attack:
    """The terminal's own key signs what it must not."""
    return lambda scene: on_the_wire(scene.forge(**changes).request())


def bare(**changes: Any) -> Attack:
    return lambda scene: on_the_wire(scene.bare(**changes).request())


def instead(**values: str) -> Attack:
    """Signed over other values than the ones that are sent."""
    spelled = {name.replace("at_", "@").replace("_", "-"): value for name, value in values.items()}
    return lambda scene: on_the_wire(scene.forge(values=spelled).request())


def rewritten(name: bytes, change: Callable[[bytes], bytes | None]) -> Attack:
    """One field is changed after signing, or taken out."""

    def attack(scene: Scene) -> bytes:
        honest = scene.forge().request()
        return on_the_wire(with_field(honest, name, change(field_of(honest, name))))

    return attack


def with_more(*fields: tuple[bytes, bytes]) -> Attack:
    """Fields are added after signing."""

    def attack(scene: Scene) -> bytes:
        request = scene.forge().request()
        return on_the_wire(IncomingRequest(request.method, request.target, [*request.headers, *fields], request.body))

    return attack


def twice(name: bytes) -> Attack:
    def attack(scene: Scene) -> bytes:
        request = scene.forge().request()
        again = (name, field_of(request, name))
        return on_the_wire(IncomingRequest(request.method, request.target, [*request.headers, again], request.body))

    return attack


def parameter(name: str, value: str) -> Attack:
    """One parameter is changed after signing."""
    return rewritten(
        b"Signature-Input", lambda field: re.sub(rf"{name}=[^;]*".encode(), f"{name}={value}".encode(), field)
    )


def by_other_key(scene: Scene) -> bytes:
    """Another enrolled terminal's key id, this terminal's signature: the nonce is good for the named key."""
    keyid = scene.other.key.keyid
    return on_the_wire(scene.forge(keyid=keyid, nonce=scene.mint(keyid)).request())


def by_unknown_key(scene: Scene) -> bytes:
    key = DeviceKey.generate(os.urandom)
    return on_the_wire(scene.forge(key=key, nonce=scene.mint(key.keyid)).request())


def moved_body(scene: Scene) -> bytes:
    """Another body with the digest that fits it, under the signature of the first."""
    body = BODY.replace(b"clock_in", b"clock_of")
    request = with_field(scene.forge().request(), b"Content-Digest", digest_field(body).encode())
    return on_the_wire(IncomingRequest(request.method, request.target, request.headers, body))


def changed_body(scene: Scene) -> bytes:
    request = scene.forge().request()
    return on_the_wire(IncomingRequest(request.method, request.target, request.headers, BODY.replace(b"in", b"on")))


def added_query(scene: Scene) -> bytes:
    request = scene.forge().request()
    return on_the_wire(IncomingRequest(request.method, f"{request.target}?a=1", request.headers, request.body))


def other_route(scene: Scene) -> bytes:
    request = scene.forge().request()
    return on_the_wire(IncomingRequest(request.method, "/api/time/kiosk/logout", request.headers, request.body))


def other_method(scene: Scene) -> bytes:
    """A signed GET sent as the POST that another route of this path would be: there is none."""
    request = scene.bare().request()
    return on_the_wire(
        IncomingRequest("POST", request.target, request.headers, request.body), [(b"Content-Length", b"0")]
    )


def body_on_a_get(scene: Scene) -> bytes:
    request = scene.bare().request()
    return on_the_wire(IncomingRequest(request.method, request.target, request.headers, b"{}"))


def uncovered_authorization(scene: Scene) -> bytes:
    request = scene.bare().request()
    field = (b"Authorization", f"Bearer {scene.terminal.token}".encode())
    return on_the_wire(IncomingRequest(request.method, request.target, [*request.headers, field], b""))


def content_type_without_body(scene: Scene) -> bytes:
    request = scene.bare().request()
    field = (b"Content-Type", b"application/json")
    return on_the_wire(IncomingRequest(request.method, request.target, [*request.headers, field], b""))


def key_given_twice(name: bytes) -> Attack:
    return rewritten(name, lambda field: field + b", " + field)


def declared_too_large(scene: Scene) -> bytes:
    return on_the_wire(scene.forge(body=b'{"pad":"' + b"x" * (64 * 1024) + b'"}').request())


def chunked_too_large(scene: Scene) -> bytes:
    request = scene.forge(body=b"x" * (65 * 1024)).request()
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body)
    request = IncomingRequest(request.method, request.target, request.headers, chunks)
    return on_the_wire(request, [(b"Transfer-Encoding", b"chunked")])


def smuggled(scene: Scene) -> bytes:
    request = scene.forge().request()
    framing = [(b"Content-Length", str(len(request.body)).encode()), (b"Transfer-Encoding", b"chunked")]
    return on_the_wire(request, framing)


def broken_chunks(scene: Scene) -> bytes:
    request = scene.forge(body=b"zz\r\nnot a chunk\r\n").request()
    return on_the_wire(request, [(b"Transfer-Encoding", b"chunked")])


def two_lengths(scene: Scene) -> bytes:
    request = scene.forge().request()
    return on_the_wire(request, [(b"Content-Length", b"3"), (b"Content-Length", str(len(request.body)).encode())])


def second_signature(scene: Scene) -> bytes:
    """Two signatures with our tag: which one would count?"""
    one, two = scene.forge(label="a").request(), scene.forge(label="b").request()
    for name in (b"Signature-Input", b"Signature"):
        one = with_field(one, name, field_of(one, name) + b", " + field_of(two, name))
    return on_the_wire(one)


def other_token(field: bytes) -> bytes:
    """The last character of the session token is another one."""
    return field[:-1] + (b"E" if field.endswith(b"A") else b"A")


def flipped(field: bytes) -> bytes:
    """One bit of a signature is turned."""
    label, _, value = field.partition(b"=:")
    raw = bytearray(b64decode(value.rstrip(b":")))
    raw[7] ^= 1
    return label + b"=:" + b64encode(raw) + b":"


ATTACKS: dict[str, tuple[str, Attack]] = {
    "an empty path segment": ("non-canonical-target", target("/api//time/kiosk/action")),
    "an empty first segment": ("not-found", target("//api/time/kiosk/action")),
    "a dot segment": ("non-canonical-target", target("/api/./time/kiosk/action")),
    "two dots": ("non-canonical-target", target("/api/x/../time/kiosk/action")),
    "two dots from outside": ("not-found", target("/stamp/../api/time/kiosk/action")),
    "an encoded dot segment": ("non-canonical-target", target("/api/%2e/time/kiosk/action")),
    "two encoded dots": ("non-canonical-target", target("/api/x/%2e%2E/time/kiosk/action")),
    "an encoded letter": ("non-canonical-target", target("/api/time/kiosk/%61ction")),
    "an encoded letter before the api": ("non-canonical-target", target("/%61pi/time/kiosk/action")),
    "an encoded slash": ("non-canonical-target", target("/api/time%2Fkiosk/action")),
    "a question mark and nothing": ("non-canonical-target", target("/api/time/kiosk/action?")),
    "a stray percent in the query": ("non-canonical-target", target("/api/time/kiosk/action?a=%zz")),
    "a slash at the end": ("non-canonical-target", target("/api/time/kiosk/action/")),
    "a path parameter": ("non-canonical-target", target("/api/time/kiosk/action;v=1")),
    "a backslash": ("non-canonical-target", target("/api/time\\kiosk/action")),
    "a fragment": ("non-canonical-target", target("/api/time/kiosk/action#now")),
    "absolute form": (
        "non-canonical-target",
        lambda scene: on_the_wire(scene.forge(target=f"http://{scene.authority}/api/time/kiosk/action").request()),
    ),
    "a foreign host": ("unknown-authority", signed(host="elsewhere.example")),
    "the gateway's name with another port": ("unknown-authority", signed(host="127.0.0.1:1")),
    "a host with a user": ("unknown-authority", rewritten(b"Host", lambda host: b"root@" + host)),
    "a host that is forwarded only": (
        "unknown-authority",
        lambda scene: on_the_wire(
            scene.forge(
                host="elsewhere.example",
                further=[(b"X-Forwarded-Host", scene.authority.encode()), (b"Forwarded", b"host=127.0.0.1")],
            ).request()
        ),
    ),
    "no host": (BY_THE_PARSER, rewritten(b"Host", lambda host: None)),
    "Host twice": (BY_THE_PARSER, twice(b"Host")),
    "Content-Type twice": (BY_THE_PARSER, twice(b"Content-Type")),
    "Content-Digest twice": ("signature-malformed", twice(b"Content-Digest")),
    "Signature-Input twice": ("signature-malformed", twice(b"Signature-Input")),
    "Signature twice": ("signature-malformed", twice(b"Signature")),
    "Authorization twice": ("signature-malformed", twice(b"Authorization")),
    "no signature at all": ("signature-missing", rewritten(b"Signature", lambda field: None)),
    "no signature input": ("signature-missing", rewritten(b"Signature-Input", lambda field: None)),
    "the tag of an enrolment": ("signature-missing", signed(tag=ENROL_TAG)),
    "the tag of a key change": ("signature-missing", signed(tag=REKEY_TAG)),
    "the tag of somebody else": ("signature-missing", signed(tag="stampgate-kiosk2")),
    "a duplicate key in Signature-Input": ("signature-malformed", key_given_twice(b"Signature-Input")),
    "a duplicate key in Signature": ("signature-malformed", key_given_twice(b"Signature")),
    "two signatures with our tag": ("signature-malformed", second_signature),
    "labels that do not match": ("signature-malformed", rewritten(b"Signature", lambda field: b"x" + field)),
    "a signature of 63 bytes": (
        "signature-malformed",
        rewritten(b"Signature", lambda field: b"sig=:" + b64encode(bytes(63)) + b":"),
    ),
    "a signature that is no base64": ("signature-malformed", rewritten(b"Signature", lambda field: b"sig=:!!!!:")),
    "garbage for Signature-Input": ("signature-malformed", rewritten(b"Signature-Input", lambda field: b'"(((')),
    "Latin-1 in Signature-Input": ("signature-malformed", rewritten(b"Signature-Input", lambda field: field + b"\xe9")),
    "an oversized Signature-Input": (
        "signature-malformed",
        rewritten(b"Signature-Input", lambda field: field + b';x="' + b"y" * 2048 + b'"'),
    ),
    "a field larger than any": (BY_THE_PARSER, with_more((b"X-Pad", b"y" * 20_000))),
    "alg": (
        "signature-parameters",
        signed(parameters=';created={created};nonce="{nonce}";keyid="{keyid}";alg="ed25519";tag="{tag}"'),
    ),
    "a parameter more": (
        "signature-parameters",
        signed(parameters=';created={created};expires=9999999999;nonce="{nonce}";keyid="{keyid}";tag="{tag}"'),
    ),
    "no created": ("signature-parameters", signed(parameters=';nonce="{nonce}";keyid="{keyid}";tag="{tag}"')),
    "no nonce": ("signature-parameters", signed(parameters=';created={created};keyid="{keyid}";tag="{tag}"')),
    "no keyid": ("signature-parameters", signed(parameters=';created={created};nonce="{nonce}";tag="{tag}"')),
    "a created in quotes": (
        "signature-parameters",
        signed(parameters=';created="{created}";nonce="{nonce}";keyid="{keyid}";tag="{tag}"'),
    ),
    "a missing component": ("covered-components", signed(components=COMPONENTS[:3] + COMPONENTS[4:])),
    "an extra component": ("covered-components", signed(components=(*COMPONENTS, "host"), values={"host": "x"})),
    "reordered components": ("covered-components", signed(components=COMPONENTS[1::-1] + COMPONENTS[2:])),
    "a component with a parameter": (
        "covered-components",
        signed(
            component_list='("@method" "@authority" "@path" "@query" "content-digest" "content-type";sf '
            '"authorization")'
        ),
    ),
    "authorization uncovered": ("covered-components", uncovered_authorization),
    "authorization taken out": ("covered-components", rewritten(b"Authorization", lambda field: None)),
    "content-type taken out": ("covered-components", rewritten(b"Content-Type", lambda field: None)),
    "content-type of something else": ("covered-components", signed(content_type="application/json; charset=utf-8")),
    "content-type without a body": ("covered-components", content_type_without_body),
    "a body on a GET": ("covered-components", body_on_a_get),
    "no digest": ("covered-components", rewritten(b"Content-Digest", lambda field: None)),
    "another method signed": ("signature-invalid", instead(at_method="PUT")),
    "another authority signed": ("signature-invalid", instead(at_authority="elsewhere.example")),
    "another path signed": ("signature-invalid", instead(at_path="/api/time/kiosk/status")),
    "another query signed": ("signature-invalid", instead(at_query="?x=1")),
    "another digest signed": ("signature-invalid", instead(content_digest=digest_field(b"x"))),
    "another session signed": ("signature-invalid", instead(authorization="Bearer somebody-else")),
    "another content type signed": ("signature-invalid", instead(content_type="text/plain")),
    "a signed request to another route": ("signature-invalid", other_route),
    "a signed GET sent as POST": ("method-not-allowed", other_method),
    "a query added": ("signature-invalid", added_query),
    "a changed body": ("content-digest-mismatch", changed_body),
    "a changed body with its digest": ("signature-invalid", moved_body),
    "a changed digest": (
        "content-digest-mismatch",
        rewritten(b"Content-Digest", lambda field: digest_field(b"x").encode()),
    ),
    "another digest algorithm": (
        "content-digest-mismatch",
        rewritten(b"Content-Digest", lambda field: field.replace(b"sha-256", b"sha-512")),
    ),
    "a changed session": ("signature-invalid", rewritten(b"Authorization", other_token)),
    "a changed signature": ("signature-invalid", rewritten(b"Signature", flipped)),
    "a changed created": (
        "signature-invalid",
        lambda scene: parameter("created", str(int(scene.now()) + 7))(scene),
    ),
    "a changed nonce": ("signature-invalid", lambda scene: parameter("nonce", f'"{scene.mint()}"')(scene)),
    "a changed keyid": ("bad-nonce", lambda scene: parameter("keyid", f'"{scene.other.key.keyid}"')(scene)),
    "the key of another terminal": ("signature-invalid", by_other_key),
    "a key nobody enrolled": ("device-unknown", by_unknown_key),
    "created an hour ago": ("clock-skew", lambda scene: signed(created=int(scene.now()) - 3600)(scene)),
    "created 61 seconds ago": ("clock-skew", lambda scene: signed(created=int(scene.now()) - 61)(scene)),
    "created in two minutes": ("clock-skew", lambda scene: signed(created=int(scene.now()) + 120)(scene)),
    "a nonce of its own making": ("bad-nonce", signed(nonce="bm9uY2U")),
    "an empty nonce": ("bad-nonce", signed(nonce="")),
    "a nonce of another gateway": (
        "bad-nonce",
        lambda scene: signed(nonce=FOREIGN_NONCES.mint(scene.terminal.key.keyid, scene.now()))(scene),
    ),
    "a nonce of another key": ("bad-nonce", lambda scene: signed(nonce=scene.mint(scene.other.key.keyid))(scene)),
    "a nonce of three minutes ago": ("bad-nonce", lambda scene: signed(nonce=scene.mint(age=182))(scene)),
    "a nonce of the future": ("bad-nonce", lambda scene: signed(nonce=scene.mint(age=-8))(scene)),
    "a body of more than 64 KiB": ("body-too-large", declared_too_large),
    "a chunked body of more than 64 KiB": ("body-too-large", chunked_too_large),
    "a content coding": ("unsupported-media-type", with_more((b"Content-Encoding", b"gzip"))),
    "a content coding that does nothing": ("unsupported-media-type", with_more((b"Content-Encoding", b"identity"))),
    "a length and chunks": (BY_THE_PARSER, smuggled),
    "two lengths": (BY_THE_PARSER, two_lengths),
    "broken chunks": (BY_THE_PARSER, broken_chunks),
    "garbage": (BY_THE_PARSER, lambda scene: os.urandom(64).replace(b"\n", b"") + b"\r\n\r\n"),
    "a method that is none": (BY_THE_PARSER, lambda scene: b"P(ST /api/time/kiosk/action HTTP/1.1\r\n\r\n"),
}


async def _attacked(scene: Scene, attack: Attack) -> tuple[RawReply, int]:
    """Send an attack; give the answer and the calls of Redis it caused."""
    data, before = attack(scene), scene.house.gateway.ephemeral.round_trips
    reply = await send(scene.house.port, data)
    return reply, scene.house.gateway.ephemeral.round_trips - before


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_is_refused_with_its_own_problem_before_redis_hears_of_it(scene: Scene, name: str) -> None:
    problem, attack = ATTACKS[name]
    recorded = await scene.house.stamps(), await scene.house.audit_names()
    reply, calls = await _attacked(scene, attack)
    assert reply.problem == problem, reply
    assert 400 <= reply.status < 500
    assert calls == 0
    assert (await scene.house.stamps(), await scene.house.audit_names()) == recorded


async def test_what_is_attacked_is_otherwise_accepted_with_a_single_call_of_redis(scene: Scene) -> None:
    """The last test of this module: it stamps."""
    bare_reply, bare_calls = await _attacked(scene, bare())
    assert (bare_reply.status, bare_calls) == (200, 1)
    for at, body in enumerate((BODY, BODY.replace(b"clock_in", b"clock_out").replace(b"0190", b"0191"))):
        reply, calls = await _attacked(scene, signed(body=body))
        assert (reply.status, calls) == (201, 1), reply
        assert len(await scene.house.stamps()) == at + 1


async def test_a_request_sent_a_second_time_is_refused_and_audited_once(scene: Scene) -> None:
    data = bare()(scene)
    assert (await send(scene.house.port, data)).status == 200
    for _ in range(3):
        again = await send(scene.house.port, data)
        assert (again.status, again.problem) == (401, "nonce-replayed")
        assert "replay-nonce" in again.headers
    assert (await scene.house.audit_names()).count("nonce.replayed") == 1
