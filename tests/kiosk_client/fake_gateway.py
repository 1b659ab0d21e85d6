"""A complete gateway for one company, in memory: the kiosk protocol for real, with faults that can be switched on.

Signatures, digests, nonces and the clock are checked by the same code the real gateway uses; nonces are used once;
enrolment, sessions and stamps follow the protocol. Nothing of the client is imported.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from crypto.device_keys import DeviceKey, from_jwk, thumbprint
from crypto.errors import CryptoError
from crypto.message_signatures import (
    ENROL_TAG,
    KIOSK_TAG,
    REKEY_TAG,
    IncomingRequest,
    SignatureRefused,
    Verifier,
    read_target,
)
from crypto.nonces import Nonces

if TYPE_CHECKING:
    import ssl

BASE = "/api/time/kiosk"
NEXT = {"out": ["clock_in"], "in": ["break_start", "clock_out"], "break": ["break_end", "clock_out"]}
AFTER = {"clock_in": "in", "clock_out": "out", "break_start": "break", "break_end": "in"}


class Refused(Exception):
    def __init__(self, name: str, status: int, *, headers: dict[str, str] | None = None, **members: Any) -> None:
        super().__init__(name)
        self.name, self.status, self.headers, self.members = name, status, headers or {}, members


@dataclass
class Device:
    public_key: bytes
    device_id: str
    enrolment_id: str
    state: str = "pending"
    key_changed_at: float | None = None
    key_expires_in: float = 90 * 86_400.0


@dataclass
class Person:
    name: str
    pin: str
    state: str = "out"
    since: float = 1_763_700_000.0
    worked: int = 0
    failed: int = 0
    clock_out_missing: bool = False
    stamps: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Faults:
    """What goes wrong next; numbers count down."""

    bad_nonce: int = 0
    clock_skew: int = 0
    busy: int = 0
    busy_retry_after: str | None = "0"
    drop_after: Counter[str] = field(default_factory=Counter)
    drop_before: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, Refused] = field(default_factory=dict)
    answer: dict[str, web.Response] = field(default_factory=dict)
    no_nonce: bool = False
    hide_status: bool = False


class FakeGateway:
    def __init__(self) -> None:
        self.key = DeviceKey.generate(os.urandom)
        self.other_keyid: str | None = None
        self.clock_ahead = 0.0
        self.locale, self.timezone, self.company, self.label = "en", "Europe/Berlin", "Brot & Co", "Door 1"
        self.codes: dict[str, str | None] = {}
        self.devices: dict[str, Device] = {}
        self.offered: dict[str, tuple[bytes, str, float]] = {}
        self.superseded: dict[str, tuple[Device, bytes, float]] = {}
        self.keys_seen: set[str] = set()
        self.people: dict[str, Person] = {"0042": Person("Ada Example", "271828")}
        self.sessions: dict[str, tuple[str, str]] = {}
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.heartbeats: list[dict[str, Any]] = []
        self.consumed: set[str] = set()
        self.nonces = Nonces({1: os.urandom(32)}, 1, os.urandom)
        self._runner: web.AppRunner | None = None
        self._front: web.TCPSite | None = None
        self.port = 0
        self.verifier_authority = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def now(self) -> float:
        return time.time() + self.clock_ahead

    def seen(self, path: str) -> int:
        return sum(1 for _, target in self.requests if target == BASE + path)

    def forget_nonces(self) -> None:
        """As after a flush of Redis: no nonce given out so far is taken any more."""
        self.nonces = Nonces({1: os.urandom(32)}, 1, os.urandom)

    def approve(self) -> None:
        for device in self.devices.values():
            if device.state == "pending":
                device.state = "active"

    def only_device(self) -> Device:
        (device,) = self.devices.values()
        return device

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.verifier_authority = f"127.0.0.1:{self.port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def start_front(self, context: ssl.SSLContext) -> int:
        """Serve over TLS too, on another port."""
        assert self._runner is not None
        self._front = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await self._front.start()
        return int(self._runner.addresses[1][1])

    async def stop_front(self) -> None:
        assert self._front is not None
        await self._front.stop()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0].removeprefix(BASE)
        self.requests.append((request.method, BASE + path))
        self.headers.append(dict(request.headers))
        if self.faults.drop_before[path] > 0:
            self.faults.drop_before[path] -= 1
            self._drop(request)
        keyid: str | None = None
        try:
            if path in self.faults.answer:
                return self.faults.answer[path]
            if path == "/nonce" and request.method == "HEAD":
                keyid = request.query["keyid"]
                if self.faults.no_nonce:
                    keyid = None
                if self.faults.busy > 0:
                    self.faults.busy -= 1
                    raise Refused("busy", 503, headers=self._retry_after())
                response: web.Response = web.Response(status=204)
            else:
                body = await request.read()
                incoming = IncomingRequest(request.method, request.raw_path, request.raw_headers, body)
                keyid, answer, status = self._signed(incoming, path)
                response = (
                    web.json_response(answer, status=status) if answer is not None else web.Response(status=status)
                )
        except Refused as refused:
            keyid = refused.members.pop("keyid", keyid)
            response = self._problem(refused)
        except SignatureRefused as refused:
            keyid = refused.keyid
            status = 400 if refused.problem in ("unknown-authority", "non-canonical-target") else 401
            members: dict[str, Any] = (
                {"server_time": self._instant(self.now())} if refused.problem == "clock-skew" else {}
            )
            response = self._problem(Refused(refused.problem, status, **members))
        if self.faults.drop_after[path] > 0:
            self.faults.drop_after[path] -= 1
            self._drop(request)
        if keyid is not None:
            response.headers["Replay-Nonce"] = self.nonces.mint(keyid, self.now())
        response.headers["Date"] = datetime.fromtimestamp(self.now(), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response

    def _drop(self, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError

    def _problem(self, refused: Refused) -> web.Response:
        document = {
            "type": f"https://docs.example/problems/{refused.name}",
            "title": refused.name.replace("-", " "),
            "status": refused.status,
            "detail": "A detail.",
            **refused.members,
        }
        return web.Response(
            status=refused.status,
            body=json.dumps(document).encode(),
            content_type="application/problem+json",
            headers=refused.headers,
        )

    def _retry_after(self) -> dict[str, str]:
        after = self.faults.busy_retry_after
        return {} if after is None else {"Retry-After": after}

    def _signed(self, incoming: IncomingRequest, path: str) -> tuple[str, Any, int]:
        read_target(incoming.target)
        verifier = Verifier(frozenset({self.verifier_authority}), self.nonces, "http")
        enrolling = path == "/enrolments"
        claimed = verifier.read(incoming, ENROL_TAG if enrolling else KIOSK_TAG)
        keyid = claimed.keyid
        for name in ("bad_nonce", "clock_skew"):
            if getattr(self.faults, name) > 0:
                setattr(self.faults, name, getattr(self.faults, name) - 1)
                members: dict[str, Any] = {"server_time": self._instant(self.now())} if name == "clock_skew" else {}
                raise Refused(name.replace("_", "-"), 401, keyid=keyid, **members)
        if self.faults.busy > 0:
            self.faults.busy -= 1
            raise Refused("busy", 503, keyid=keyid, headers=self._retry_after())
        if path in self.faults.refuse:
            refused = self.faults.refuse[path]
            raise Refused(refused.name, refused.status, headers=refused.headers, keyid=keyid, **refused.members)
        if enrolling:
            return keyid, self._enrol(verifier, claimed), 201
        self._judge_superseded(verifier, claimed)
        device, public_key = self._device_of(keyid)
        verified = verifier.verify(claimed, public_key, self.now())
        if path == "/device/key":
            return keyid, self._offer_key(verifier, verifier.read(incoming, REKEY_TAG), device, keyid), 200
        self._consume(verified.nonce.value, keyid)
        if keyid in self.offered:
            self._first_use(keyid, device)
        if device.state not in ("active", "pending"):
            raise Refused("key-expired" if device.state == "expired" else f"device-{device.state}", 403, keyid=keyid)
        if device.state == "pending" and path != "/device":
            raise Refused("device-pending", 403, keyid=keyid)
        try:
            answer, status = self._call(incoming.method, path, device, keyid, verified.body, verified.authorization)
        except Refused as refused:
            refused.members["keyid"] = keyid
            raise
        return keyid, answer, status

    def _device_of(self, keyid: str) -> tuple[Device, bytes]:
        """The device of its current key, or of one that was offered in the last ten minutes."""
        if keyid in self.devices:
            return self.devices[keyid], self.devices[keyid].public_key
        if keyid in self.offered:
            public_key, old, offered_at = self.offered[keyid]
            if old in self.devices and self.devices[old].state == "active" and self.now() < offered_at + 600:
                return self.devices[old], public_key
        raise Refused("device-unknown", 401, keyid=keyid)

    def _offer_key(self, verifier: Verifier, claimed: Any, device: Device, old: str) -> dict[str, Any]:
        public_key = from_jwk(json.loads(verifier.verify_digest(claimed))["jwk"])
        keyid = thumbprint(public_key)
        assert keyid == claimed.keyid
        verified = verifier.verify(claimed, public_key, self.now())
        self._consume(verified.nonce.value, old)
        if device.state != "active":
            raise Refused(f"device-{device.state}", 403, keyid=old)
        waits = keyid in self.offered and self.now() < self.offered[keyid][2] + 600
        if not waits:
            if keyid in self.keys_seen or keyid in self.devices:
                raise Refused("key-reused", 400, keyid=old)
            self.offered = {keyid: (public_key, old, self.now())}
            self.keys_seen.add(keyid)
        return {"keyid": keyid, "key_expires_at": self._instant(self.now() + 90 * 86_400)}

    def _first_use(self, keyid: str, device: Device) -> None:
        public_key, old, _ = self.offered.pop(keyid)
        self.superseded[old] = (device, device.public_key, self.now())
        del self.devices[old]
        device.public_key, device.key_changed_at, device.key_expires_in = public_key, self.now(), 90 * 86_400.0
        self.devices[keyid] = device

    def _judge_superseded(self, verifier: Verifier, claimed: Any) -> None:
        if claimed.keyid in self.superseded:
            device, public_key, at = self.superseded[claimed.keyid]
            verified = verifier.verify(claimed, public_key, self.now())
            if verified.nonce.minted_at > at + 10:
                device.state = "suspended"
            name = "device-unknown" if device.state == "active" else f"device-{device.state}"
            raise Refused(name, 401 if device.state == "active" else 403, keyid=claimed.keyid)

    def _consume(self, nonce: str, keyid: str) -> None:
        if nonce in self.consumed:
            raise Refused("nonce-replayed", 401, keyid=keyid)
        self.consumed.add(nonce)

    def _enrol(self, verifier: Verifier, claimed: Any) -> dict[str, Any]:
        nonce = verifier.check_freshness(claimed, self.now())
        body = json.loads(verifier.verify_digest(claimed))
        public_key = from_jwk(body["jwk"])
        keyid = thumbprint(public_key)
        assert keyid == claimed.keyid
        try:
            verifier.verify(claimed, public_key, self.now())
        except CryptoError:
            raise Refused("signature-invalid", 401, keyid=keyid) from None
        self._consume(nonce.value, keyid)
        assert set(body["client"]) == {"name", "version", "platform"}
        assert all(body["client"].values())
        code = body["code"]
        if code not in self.codes or self.codes[code] not in (None, keyid):
            raise Refused("enrolment-code-invalid", 400, keyid=keyid)
        if self.codes[code] is None:
            self.codes[code] = keyid
            self.devices[keyid] = Device(public_key, str(uuid.uuid4()), str(uuid.uuid4()))
        device = self.devices[keyid]
        return {
            "device_id": device.device_id,
            "enrolment_id": device.enrolment_id,
            "state": device.state,
            "gateway_keyid": self.other_keyid or self.key.keyid,
        }

    def _call(
        self, method: str, path: str, device: Device, keyid: str, body: bytes, authorization: str | None
    ) -> tuple[Any, int]:
        match method, path:
            case "GET", "/device":
                return self._device(device), 200
            case "POST", "/heartbeat":
                self.heartbeats.append(json.loads(body))
                return None, 204
            case "POST", "/auth":
                return self._login(keyid, **json.loads(body)), 200
        person = self.people[self._session(keyid, authorization)]
        match method, path:
            case "GET", "/status":
                return self._status(person), 200
            case "POST", "/action":
                return self._stamp(person, device, **json.loads(body))
            case "POST", "/pin":
                change = json.loads(body)
                if change["current_pin"] != person.pin:
                    raise Refused("login-failed", 401)
                person.pin = change["new_pin"]
                return None, 204
            case "POST", "/logout":
                self.sessions.clear()
                return None, 204
        raise Refused("not-found", 404)

    def _session(self, keyid: str, authorization: str | None) -> str:
        session = self.sessions.get((authorization or "").removeprefix("Bearer "))
        if session is None or session[1] != keyid:
            raise Refused("session-expired", 401)
        return session[0]

    def _device(self, device: Device) -> dict[str, Any]:
        return {
            "device_id": device.device_id,
            **({"enrolment_id": device.enrolment_id} if device.state == "pending" else {}),
            "gateway_keyid": self.other_keyid or self.key.keyid,
            "state": device.state,
            "label": self.label,
            "location": "Hall",
            "company": {"name": self.company, "timezone": self.timezone, "locale": self.locale},
            "key_expires_at": self._instant(self.now() + device.key_expires_in),
            "server_time": self._instant(self.now()),
            "something_new": 1,
        }

    def _login(self, keyid: str, personnel_number: str, pin: str) -> dict[str, Any]:
        if not 6 <= len(pin) <= 12:
            raise Refused("bad-request", 400, errors=[{"field": "pin", "message": "must be 6 to 12 digits"}])
        person = self.people.get(personnel_number)
        if person is None or person.pin != pin:
            if person is not None:
                person.failed += 1
            raise Refused("login-failed", 401)
        self.sessions.clear()
        token = f"token-{uuid.uuid4()}"
        self.sessions[token] = (personnel_number, keyid)
        failed, person.failed = person.failed, 0
        return {
            "session_token": token,
            "expires_in": 900,
            "idle_timeout": 20,
            "employee": {"display_name": person.name},
            "failed_attempts": failed,
            "status": self._status(person),
        }

    def _status(self, person: Person) -> dict[str, Any]:
        missing = {"clock_out_missing": True} if person.clock_out_missing else {}
        return {
            "state": person.state,
            "since": self._instant(person.since),
            "worked_today_seconds": person.worked,
            "actions": NEXT[person.state],
            **missing,
        }

    def _stamp(self, person: Person, device: Device, stamp_id: str, action: str) -> tuple[dict[str, Any], int]:
        if stamp_id in person.stamps:
            if person.stamps[stamp_id]["action"] != action:
                raise Refused("stamp-id-reused", 409)
            return {"stamp": person.stamps[stamp_id], "status": self._status(person)}, 200
        if action not in NEXT[person.state]:
            told = {} if self.faults.hide_status else {"current_status": self._status(person)}
            raise Refused("action-not-valid", 409, **told)
        at = self.now()
        person.state, person.since = AFTER[action], at
        person.stamps[stamp_id] = {
            "id": str(uuid.uuid4()),
            "stamp_id": stamp_id,
            "action": action,
            "at": self._instant(at),
            "tier": "kiosk",
            "device_id": device.device_id,
        }
        return {"stamp": person.stamps[stamp_id], "status": self._status(person)}, 201

    @staticmethod
    def _instant(unix: float) -> str:
        return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
